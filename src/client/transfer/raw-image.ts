// A volume from and to a raw image: blocks of zeroes are holes on both sides.
import { byteOffset } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, TRANSFER_PIECE_BYTES } from '../../base/limits.js'
import type { OpenVolume } from '../volume-driver.js'
import { runsOf, WritesAtOnce } from './pieces.js'

/** Bytes written; fails if the image is longer than the volume. The last block is filled up. */
export async function importImage(
  volume: OpenVolume,
  image: AsyncIterable<Uint8Array>,
  reached: (offset: number) => void,
): Promise<{ readonly read: number; readonly written: number }> {
  const writes = new WritesAtOnce()
  let written = 0
  let read = 0
  for await (const { offset, content, bytes } of wholePieces(image)) {
    read = offset + bytes
    if (read > volume.size) {
      throw new SwarmdiskError(
        'bad-input',
        `The image has more than the ${volume.size} bytes of the volume: give its --size.`,
      )
    }
    for (const part of runsOf(offset, content)) {
      if (!part.content) continue
      written += part.length
      await writes.add(volume.write(byteOffset(part.offset), part.content))
    }
    reached(read)
  }
  await writes.ended()
  await volume.flush()
  return { read, written }
}

interface Piece {
  readonly offset: number
  /** Whole blocks. */
  readonly content: Uint8Array
  /** That came in: the last block may be filled up. */
  readonly bytes: number
}

async function* wholePieces(image: AsyncIterable<Uint8Array>): AsyncGenerator<Piece> {
  let piece = new Uint8Array(TRANSFER_PIECE_BYTES)
  let offset = 0
  let held = 0
  for await (const bytes of image) {
    for (let done = 0; done < bytes.length;) {
      const part = bytes.subarray(done, done + piece.length - held)
      piece.set(part, held)
      held += part.length
      done += part.length
      if (held < piece.length) continue
      yield { offset, content: piece, bytes: held }
      offset += held
      held = 0
      piece = new Uint8Array(TRANSFER_PIECE_BYTES)
    }
  }
  if (held === 0) return
  const blocks = Math.ceil(held / BLOCK_BYTES)
  yield { offset, content: piece.subarray(0, blocks * BLOCK_BYTES), bytes: held }
}
