// Reading and writing a lot, a bounded part of it at once.
import { byteCount, byteOffset, type ByteOffset } from '../../base/brands.js'
import { isSwarmdiskError, type SwarmdiskError } from '../../base/errors.js'
import { BLOCK_BYTES, TRANSFER_PIECE_BYTES, TRANSFER_PIECES_AT_ONCE } from '../../base/limits.js'
import type { ByteRange } from '../../layout/geometry.js'

export interface Reader {
  read(offset: ByteOffset, into: Uint8Array): Promise<void>
}

export interface Range extends ByteRange {
  /** Known to be zeroes, so it is not read. */
  readonly zeroes: boolean
}

/** A range of a volume; null: zeroes. */
export interface Part {
  readonly offset: number
  readonly length: number
  readonly content: Uint8Array | null
}

/** What is in these ranges, in their order: zeroes are found, too, where they were not known. */
export async function* readParts(
  reader: Reader,
  ranges: AsyncIterable<Range>,
): AsyncGenerator<Part> {
  const queue: Promise<readonly Part[]>[] = []
  for await (const range of cut(ranges)) {
    const read = readPart(reader, range)
    // Told to whoever waits for it in its turn.
    read.catch(() => undefined)
    queue.push(read)
    if (queue.length >= TRANSFER_PIECES_AT_ONCE) yield* await queue.shift()!
  }
  for (const read of queue) yield* await read
}

async function readPart(reader: Reader, range: Range): Promise<readonly Part[]> {
  const { offset, length, zeroes } = range
  if (zeroes) return [{ offset, length, content: null }]
  const content = new Uint8Array(length)
  await reader.read(offset, content)
  return runsOf(offset, content)
}

async function* cut(ranges: AsyncIterable<Range>): AsyncGenerator<Range> {
  for await (const range of ranges) {
    if (range.zeroes) {
      yield range
      continue
    }
    for (let done = 0; done < range.length; done += TRANSFER_PIECE_BYTES) {
      const length = byteCount(Math.min(TRANSFER_PIECE_BYTES, range.length - done))
      yield { offset: byteOffset(range.offset + done), length, zeroes: false }
    }
  }
}

const ZEROES = Buffer.alloc(BLOCK_BYTES)

/** Runs of blocks that are zeroes, and of others. Whole blocks. */
export function runsOf(offset: number, content: Uint8Array): readonly Part[] {
  const parts: Part[] = []
  const isZero = (at: number): boolean =>
    content[at] === 0 && ZEROES.equals(content.subarray(at, at + BLOCK_BYTES))
  for (let at = 0; at < content.length;) {
    const zero = isZero(at)
    let end = at + BLOCK_BYTES
    while (end < content.length && isZero(end) === zero) end += BLOCK_BYTES
    const part = { offset: offset + at, length: end - at }
    parts.push({ ...part, content: zero ? null : content.subarray(at, end) })
    at = end
  }
  return parts
}

/** Writes under way: a few, and the first failure is told to whoever comes next. */
export class WritesAtOnce {
  readonly #running = new Set<Promise<void>>()
  #failure: SwarmdiskError | null = null

  async add(write: Promise<void>): Promise<void> {
    const running = write
      .catch((error: unknown) => {
        if (!isSwarmdiskError(error)) throw error
        this.#failure ??= error
      })
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
    while (this.#running.size >= TRANSFER_PIECES_AT_ONCE) await Promise.race(this.#running)
    this.#check()
  }

  async ended(): Promise<void> {
    await Promise.all(this.#running)
    this.#check()
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure
  }
}
