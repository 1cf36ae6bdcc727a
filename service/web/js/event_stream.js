// Reads a stream of server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html

/**
 * Yield the events of a stream of bytes as {name, id, data}; `id` is null if the event has none, `data` is a string.
 *
 * Comments, unknown fields and events without data are skipped, and so is an event that the stream's end cuts off.
 */
export async function* readEvents(stream) {
  let event = blank();
  for await (const line of readLines(stream)) {
    if (line === "") {
      if (event.data !== null) yield event;
      event = blank();
      continue;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line);
    if (field === "data") event.data = event.data === null ? value : `${event.data}\n${value}`;
    else if (field === "event") event.name = value;
    else if (field === "id") event.id = value;
  }
}

function blank() {
  return { name: "message", id: null, data: null };
}

/** Yield the whole lines, which end with CR LF, LF or CR; a line end may be split between two chunks. */
async function* readLines(stream) {
  let text = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const isCut = text.endsWith("\r"); // perhaps the first half of CR LF
    const lines = (isCut ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
    text = lines.pop() + (isCut ? "\r" : "");
    yield* lines;
  }
}
