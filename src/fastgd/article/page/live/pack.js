/** What Python puts into the page: one compressed block of bytes, with an index. */

/** Named pieces of bytes: modules, images, facts as JSON. */
export class Pack {
  /** `index` has the first byte and the length of each piece, by name. */
  constructor(index, content) {
    this.index = index;
    this.content = content;
  }

  /** Decode what fastgd.article.page.live made: base64 of gzip. */
  static async decode(text) {
    const packed = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const content = new Uint8Array(await new Response(stream).arrayBuffer());
    const length = new DataView(content.buffer).getUint32(0, true);
    const index = JSON.parse(new TextDecoder().decode(content.subarray(4, 4 + length)));
    return new Pack(index, content.subarray(4 + length));
  }

  bytes(name) {
    const [begin, length] = this.index[name];
    return this.content.subarray(begin, begin + length);
  }

  json(name) {
    return JSON.parse(new TextDecoder().decode(this.bytes(name)));
  }
}
