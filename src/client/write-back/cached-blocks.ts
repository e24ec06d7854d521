// What a write-back cache holds of a volume, block by block: what was written and not sent yet
// (dirty), and what is on its way to the servers (sent). A block may be both: then the dirty piece
// is the newer one, and stays until the other has been decided. So of one block one write is under
// way at a time, and a newer one is never overtaken by an older one.
//
// Invariants: a sent piece is not changed; whoever waits for what was there at some moment waits
// for those pieces and no others. Pure.
import { assert } from '../../base/assert.js'
import { BLOCK_BYTES } from '../../base/limits.js'
import { blockRange, type ByteRange } from '../../layout/geometry.js'
import { addSpan, covers, isWhole, type Span } from './spans.js'

interface Piece {
  readonly block: number
  readonly bytes: Uint8Array
  /** Which of the bytes were written. */
  spans: readonly Span[]
  /** Grows with the first write to each piece. */
  readonly age: number
}

/** Blocks that are sent together. */
export interface Run {
  readonly pieces: readonly Piece[]
  /** In bytes of the volume; not changed any more. */
  readonly writes: readonly { readonly offset: number; readonly bytes: Uint8Array }[]
}

/** What was held of a range when somebody looked. */
export interface Held {
  /** All of the range. */
  readonly whole: boolean
  /** Puts it over what the servers had there at that time. */
  over(into: Uint8Array): void
}

/** Somebody waits until all that was held at some moment has been decided. */
interface Wait {
  readonly unsent: Set<Piece>
  readonly undecided: Set<Piece>
  readonly done: () => void
}

export class CachedBlocks {
  /** In the order of their ages. */
  readonly #dirty = new Map<number, Piece>()
  readonly #sent = new Map<number, Piece>()
  readonly #waits = new Set<Wait>()
  #age = 0

  /** Blocks of memory: one that is dirty and sent counts twice. */
  get size(): number {
    return this.#dirty.size + this.#sent.size
  }

  get dirty(): number {
    return this.#dirty.size
  }

  /** No piece is younger. */
  get age(): number {
    return this.#age
  }

  /** Returns how many blocks more it holds now. */
  write(offset: number, data: Uint8Array): number {
    const before = this.#dirty.size
    for (let at = 0; at < data.length;) {
      const block = Math.floor((offset + at) / BLOCK_BYTES)
      const from = offset + at - block * BLOCK_BYTES
      const length = Math.min(BLOCK_BYTES - from, data.length - at)
      const piece = this.#piece(block)
      piece.bytes.set(data.subarray(at, at + length), from)
      piece.spans = addSpan(piece.spans, { from, to: from + length })
      at += length
    }
    return this.#dirty.size - before
  }

  /** Null: nothing of it, so the servers have it all. */
  look(range: ByteRange): Held | null {
    if (this.size === 0) return null
    const pieces: Piece[] = []
    let whole = true
    for (const block of blocksOf(range)) {
      const found = [this.#sent.get(block), this.#dirty.get(block)].filter(piece => !!piece)
      pieces.push(...found)
      whole &&= covers(joined(found), wantedOf(block, range))
    }
    if (pieces.length === 0) return null
    const over = (into: Uint8Array): void => {
      for (const piece of pieces) put(piece, range.offset, into)
    }
    return { whole, over }
  }

  /**
   * Calls `done` when all that is held by now, of a range if one is given, has been decided; the
   * function returned stops waiting.
   */
  whenDecided(done: () => void, range?: ByteRange): () => void {
    const held = (pieces: ReadonlyMap<number, Piece>): Piece[] => {
      if (!range) return [...pieces.values()]
      const { block: first, blocks } = blockRange(range)
      return [...pieces.values()].filter(({ block }) => block >= first && block < first + blocks)
    }
    const unsent = new Set(held(this.#dirty))
    const undecided = new Set([...unsent, ...held(this.#sent)])
    const wait: Wait = { unsent, undecided, done }
    if (undecided.size === 0) done()
    else this.#waits.add(wait)
    return () => this.#waits.delete(wait)
  }

  /** Of what somebody waits for; null: nothing that could be sent now. */
  takeWanted(blocks: number): Run | null {
    for (const { unsent } of this.#waits) {
      for (const piece of unsent) if (!this.#sent.has(piece.block)) return this.#send(piece, blocks)
    }
    return null
  }

  /** The oldest that can be sent now, not younger than `age`, and its neighbours. */
  takeOldest(blocks: number, age = Infinity): Run | null {
    for (const piece of this.#dirty.values()) {
      if (piece.age > age) return null
      if (!this.#sent.has(piece.block)) return this.#send(piece, blocks)
    }
    return null
  }

  /** The servers have it, or never will. Returns how many blocks fewer it holds. */
  decided({ pieces }: Run): number {
    for (const piece of pieces) {
      assert(this.#sent.get(piece.block) === piece, 'what was sent is decided once')
      this.#sent.delete(piece.block)
    }
    for (const wait of [...this.#waits]) {
      for (const piece of pieces) wait.undecided.delete(piece)
      if (wait.undecided.size > 0) continue
      this.#waits.delete(wait)
      wait.done()
    }
    return pieces.length
  }

  #piece(block: number): Piece {
    const known = this.#dirty.get(block)
    if (known) return known
    const bytes = new Uint8Array(BLOCK_BYTES)
    const piece: Piece = { block, bytes, spans: [], age: ++this.#age }
    this.#dirty.set(block, piece)
    return piece
  }

  /** With neighbours that are dirty as a whole, up to so many blocks; a part of a block alone. */
  #send(piece: Piece, blocks: number): Run {
    const start = piece.block * BLOCK_BYTES
    if (!isWhole(piece.spans)) {
      this.#leave(piece)
      const writes = piece.spans.map(({ from, to }) => ({
        offset: start + from,
        bytes: piece.bytes.subarray(from, to),
      }))
      return { pieces: [piece], writes }
    }
    const pieces = [piece]
    for (let next = this.#ready(piece.block + 1); next && pieces.length < blocks;) {
      pieces.push(next)
      next = this.#ready(next.block + 1)
    }
    for (const one of pieces) this.#leave(one)
    return { pieces, writes: [{ offset: start, bytes: gathered(pieces) }] }
  }

  #ready(block: number): Piece | null {
    const piece = this.#dirty.get(block)
    return piece && isWhole(piece.spans) && !this.#sent.has(block) ? piece : null
  }

  #leave(piece: Piece): void {
    this.#dirty.delete(piece.block)
    this.#sent.set(piece.block, piece)
    for (const { unsent } of this.#waits) unsent.delete(piece)
  }
}

function gathered(pieces: readonly Piece[]): Uint8Array {
  const [only] = pieces
  if (only && pieces.length === 1) return only.bytes
  const bytes = new Uint8Array(pieces.length * BLOCK_BYTES)
  pieces.forEach((piece, i) => bytes.set(piece.bytes, i * BLOCK_BYTES))
  return bytes
}

/** A newer piece comes after an older one of the same block. */
function put({ block, bytes, spans }: Piece, offset: number, into: Uint8Array): void {
  const at = block * BLOCK_BYTES - offset
  for (const { from, to } of spans) {
    const start = Math.max(0, at + from)
    const end = Math.min(into.length, at + to)
    if (start < end) into.set(bytes.subarray(start - at, end - at), start)
  }
}

function joined(pieces: readonly Piece[]): readonly Span[] {
  return pieces.flatMap(({ spans }) => spans).reduce<readonly Span[]>(addSpan, [])
}

/** What a range takes of a block. */
function wantedOf(block: number, { offset, length }: ByteRange): Span {
  const start = block * BLOCK_BYTES
  return {
    from: Math.max(0, offset - start),
    to: Math.min(BLOCK_BYTES, offset + length - start),
  }
}

function* blocksOf(range: ByteRange): Iterable<number> {
  const { block: first, blocks } = blockRange(range)
  for (let i = 0; i < blocks; i++) yield first + i
}
