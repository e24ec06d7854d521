// A raw image into a file, with holes, or into a pipe, with zeroes.
import { TRANSFER_PIECE_BYTES } from '../../base/limits.js'
import type { Part } from '../../client/transfer/pieces.js'
import type { Sink } from './streams.js'

export interface Image {
  readonly size: number
  /** Ascending; null and whatever is left out is zeroes. */
  readonly parts: AsyncIterable<Part>
  readonly reached: (offset: number) => void
}

/** The bytes that are no hole. */
export async function writeImage(sink: Sink, { size, parts, reached }: Image): Promise<number> {
  let [at, data] = [0, 0]
  const fillUp = async (until: number): Promise<void> => {
    for (; !sink.sparse && at < until;) {
      const zeroes = new Uint8Array(Math.min(TRANSFER_PIECE_BYTES, until - at))
      await sink.write(zeroes)
      at += zeroes.length
    }
  }
  for await (const { offset, length, content } of parts) {
    if (!content) continue
    await fillUp(offset)
    await sink.write(content, offset)
    at = offset + length
    data += length
    reached(at)
  }
  await fillUp(size)
  if (sink.sparse) await sink.setLength(size)
  return data
}
