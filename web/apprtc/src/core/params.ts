// The parameters of a page and of a join. Several of their values are JSON written as a text.
import { type IceServer, iceServers } from "./ice.ts";
import { type Fields, fields, flag, parse, text, texts } from "./json.ts";

/** What a page is given. */
export interface PageParams {
  /** Empty on the home page. */
  readonly room: string;
  readonly wantsAudio: unknown;
  readonly wantsVideo: unknown;
  /** A word of whoever runs the server; empty: none. */
  readonly header: string;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** Nobody is asked whether to join. */
  readonly joinsAtOnce: boolean;
}

/** How connections are to be made (a part of RTCConfiguration). */
export interface PeerConfig {
  readonly iceServers: IceServer[];
  readonly bundlePolicy?: "balanced" | "max-bundle" | "max-compat";
  readonly rtcpMuxPolicy?: "require";
  readonly iceTransportPolicy?: "all" | "relay";
}

/** A place in a room. */
export interface Membership {
  readonly client: string;
  readonly isInitiator: boolean;
  readonly isLoopback: boolean;
  /** What the other has said before we came. */
  readonly messages: readonly string[];
  readonly socketUrl: string;
  readonly postUrl: string;
  /** Where to ask for ICE servers; empty: nowhere. */
  readonly iceUrl: string;
  readonly iceTransport: string;
  readonly config: PeerConfig;
  readonly offerOptions: Fields;
}

export interface JoinReply {
  readonly result: string;
  /** Where the result is SUCCESS. */
  readonly membership?: Membership;
}

export function parsePageParams(json: string): PageParams {
  const params = fields(parse(json));
  const media = fields(parse(text(params.media_constraints)));
  return {
    room: text(params.room_id),
    wantsAudio: media.audio ?? true,
    wantsVideo: media.video ?? true,
    header: text(params.header_message),
    errors: texts(params.error_messages),
    warnings: texts(params.warning_messages),
    joinsAtOnce: flag(params.bypass_join_confirmation),
  };
}

/** The answer to a join; undefined where it is none. */
export function parseJoinReply(body: string): JoinReply | undefined {
  const reply = fields(parse(body));
  const result = text(reply.result);
  if (result !== "SUCCESS") return result === "" ? undefined : { result };
  const membership = parseMembership(fields(reply.params));
  return membership && { result, membership };
}

function parseMembership(params: Fields): Membership | undefined {
  const [client, socketUrl, postUrl] = [text(params.client_id), text(params.wss_url), text(params.wss_post_url)];
  if (client === "" || socketUrl === "" || postUrl === "") return undefined;
  const transport = text(params.ice_server_transports);
  return {
    client,
    isInitiator: flag(params.is_initiator),
    isLoopback: flag(params.is_loopback),
    messages: texts(params.messages),
    socketUrl,
    postUrl,
    iceUrl: text(params.ice_server_url),
    iceTransport: transport,
    config: peerConfig(fields(parse(text(params.pc_config))), transport),
    offerOptions: fields(parse(text(params.offer_options))),
  };
}

function peerConfig(config: Fields, transport: string): PeerConfig {
  const { bundlePolicy, rtcpMuxPolicy } = config;
  // The name of before the standard, as AppRTC writes it, and the standard's.
  const policy = config.iceTransports ?? config.iceTransportPolicy;
  return {
    iceServers: iceServers(config.iceServers, transport),
    ...((bundlePolicy === "balanced" || bundlePolicy === "max-bundle" || bundlePolicy === "max-compat") && { bundlePolicy }),
    ...(rtcpMuxPolicy === "require" && { rtcpMuxPolicy }),
    ...((policy === "all" || policy === "relay") && { iceTransportPolicy: policy }),
  };
}
