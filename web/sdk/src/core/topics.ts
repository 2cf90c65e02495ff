// The grammar of topics, as protocol/topics.py has it.
import { MAX_TOPIC_BYTES } from "../gen/constants.ts";
import { kindOf } from "./arguments.ts";
import { TopicError } from "./errors.ts";
import { encodeText } from "./text.ts";

// White space (the wire separates topics by a single space), control characters, and halves of surrogate pairs, which UTF-8 has no bytes for.
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const FORBIDDEN = /[\s\x00-\x20\x7f-\xa0\u200b\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** `topic` if it obeys the grammar: 1 to 256 bytes of UTF-8 without white space. Throws TopicError naming the rule it breaks. */
export function checkTopic(topic: string): string {
  if (typeof topic !== "string") throw new TypeError(`topic: a text, not ${kindOf(topic)}`);
  if (!topic) throw new TopicError(topic, "is empty");
  const bad = FORBIDDEN.exec(topic);
  if (bad)
    throw new TopicError(topic, `has white space or a control character (${JSON.stringify(bad[0])}) at position ${bad.index}`);
  // No character has more than three bytes per UTF-16 unit, so short topics need no encoding.
  const size = topic.length * 3 <= MAX_TOPIC_BYTES ? 0 : encodeText(topic).length;
  if (size > MAX_TOPIC_BYTES) throw new TopicError(topic, `has ${size} bytes, at most ${MAX_TOPIC_BYTES} are allowed`);
  if (topic.includes("*") && topic.split("/").some((segment) => segment === "*" || segment === "**"))
    throw new TopicError(topic, "a segment of '*' or '**' stands only at the end of a pattern");
  return topic;
}
