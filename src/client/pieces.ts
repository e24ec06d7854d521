// A range of a volume as the requests that it takes: each within one extent, and of bounded length.
// Pure.
import { byteCount, byteOffset, type ByteOffset } from '../base/brands.js'
import { REQUEST_BYTES_MAX } from '../base/limits.js'
import { splitRange, type Piece } from '../layout/geometry.js'

/** In the order of their offsets. */
export function piecesOf(
  { offset, length }: { readonly offset: ByteOffset; readonly length: number },
  shards: number,
): readonly Piece[] {
  const pieces = splitRange({ offset, length: byteCount(length) }, shards)
  return length <= REQUEST_BYTES_MAX ? pieces : pieces.flatMap(cut)
}

function cut(piece: Piece): readonly Piece[] {
  if (piece.length <= REQUEST_BYTES_MAX) return [piece]
  return Array.from({ length: Math.ceil(piece.length / REQUEST_BYTES_MAX) }, (_, i) => {
    const skip = i * REQUEST_BYTES_MAX
    return {
      shard: piece.shard,
      shardOffset: byteOffset(piece.shardOffset + skip),
      offset: byteOffset(piece.offset + skip),
      length: byteCount(Math.min(REQUEST_BYTES_MAX, piece.length - skip)),
    }
  })
}
