// gzip, as browsers have it (CompressionStream, Compression Streams Standard).

/** Gzip `data`. Rejects where the browser cannot. */
export async function gzip(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data as Uint8Array<ArrayBuffer>]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
