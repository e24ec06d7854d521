// A discard by writing zeroes: storage servers store no data for blocks that are all zero.
// What is zero already is only read, so that a volume that was never written stays empty. A read
// and the write after it are no unit, and need not be: what somebody writes in between comes after
// the discard if the range was found empty, and else before it.
import { byteOffset, type ByteCount, type ByteOffset } from '../base/brands.js'
import { DISCARD_PIECE_BYTES, DISCARD_PIECES_AT_ONCE } from '../base/limits.js'
import type { OpenVolume } from './volume-driver.js'

const ZEROES = Buffer.alloc(DISCARD_PIECE_BYTES)

export async function discardByWriting(
  volume: Pick<OpenVolume, 'read' | 'write'>,
  offset: ByteOffset,
  length: ByteCount,
): Promise<void> {
  const end = offset + length
  let next: number = offset
  const worker = async (): Promise<void> => {
    const content = Buffer.allocUnsafe(Math.min(DISCARD_PIECE_BYTES, length))
    while (next < end) {
      const start = next
      // Pieces begin at multiples of their size, and so never cross an extent.
      next = Math.min(end, start - (start % DISCARD_PIECE_BYTES) + DISCARD_PIECE_BYTES)
      const piece = content.subarray(0, next - start)
      await volume.read(byteOffset(start), piece)
      const zeroes = ZEROES.subarray(0, piece.length)
      if (!piece.equals(zeroes)) await volume.write(byteOffset(start), zeroes)
    }
  }
  await Promise.all(Array.from({ length: DISCARD_PIECES_AT_ONCE }, worker))
}
