// What a shard store may hold: for every block the values written to it in the order of the calls,
// and how far flushes have made them durable. A block is filled with one byte; 0 is zeroes.
import { blockIndex, epoch } from '../../../src/base/brands.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import type { ShardStore } from '../../../src/storage/shard-store.js'

interface BlockHistory {
  readonly values: number[]
  /** The oldest of `values` that may still be found after a crash. */
  floor: number
  /** The newest of `values` whose write was acknowledged. */
  acknowledged: number
}

/** For every block the values that may be found. */
export type Allowed = ReadonlyMap<number, ReadonlySet<number>>

export class BlockModel {
  readonly #blocks = new Map<number, BlockHistory>()

  constructor(blocks: readonly number[]) {
    for (const block of blocks) this.#blocks.set(block, { values: [0], floor: 0, acknowledged: 0 })
  }

  async write(shard: ShardStore, block: number, values: readonly number[]): Promise<void> {
    const marks = values.map((value, i) => this.#blocks.get(block + i)!.values.push(value) - 1)
    await shard.write(blockIndex(block), fill(values), epoch(1))
    for (const [i, mark] of marks.entries()) {
      const history = this.#blocks.get(block + i)!
      history.acknowledged = Math.max(history.acknowledged, mark)
    }
  }

  async flush(shard: ShardStore): Promise<void> {
    const marks = [...this.#blocks.values()].map(history => history.values.length - 1)
    await shard.flush()
    for (const [i, history] of [...this.#blocks.values()].entries()) {
      history.floor = Math.max(history.floor, marks[i]!)
    }
  }

  /** Calls a read; the answer must be what had been written by the calls before it. */
  async read(shard: ShardStore, block: number, count: number): Promise<string | null> {
    const expected = Array.from({ length: count }, (_, i) => {
      return this.#blocks.get(block + i)!.values.at(-1)!
    })
    const found = await contents(shard, block, count)
    return found.join() === expected.join() ? null : `read ${found.join()}, not ${expected.join()}`
  }

  /**
   * After a crash right now. If only the process dies, nothing that was acknowledged is lost, but
   * in blocks that were being overwritten: there the rule of recovery may fall back further.
   */
  allowed(what: 'machine' | 'process' = 'machine'): Allowed {
    const entries = [...this.#blocks].map(([block, { values, floor, acknowledged }]) => {
      const quiet = acknowledged === values.length - 1
      const oldest = what === 'process' && quiet ? acknowledged : floor
      return [block, new Set(values.slice(oldest))] as const
    })
    return new Map(entries)
  }

  /** After a crash: what was found is from now on what is there. */
  static restarted(found: ReadonlyMap<number, number>): BlockModel {
    const model = new BlockModel([])
    for (const [block, value] of found)
      model.#blocks.set(block, { values: [value], floor: 0, acknowledged: 0 })
    return model
  }
}

export function fill(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * BLOCK_BYTES)
  values.forEach((value, i) => bytes.fill(value, i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES))
  return bytes
}

/** The byte that fills each block; throws for a corrupt or a mixed one. */
/** Whether a write ends, or fails, at once or later. */
export async function stored(write: () => Promise<void> | null): Promise<void> {
  await write()
}

export async function contents(shard: ShardStore, block: number, count: number): Promise<number[]> {
  // A read fills every byte: servers read into memory that holds what was there before.
  const into = new Uint8Array(count * BLOCK_BYTES).fill(0xee)
  const { corrupt } = await shard.read(blockIndex(block), into)
  if (corrupt.length > 0)
    throw new Error(`blocks ${corrupt.map(({ block: bad }) => bad).join()} are corrupt`)
  return Array.from({ length: count }, (_, i) => {
    const bytes = into.subarray(i * BLOCK_BYTES, (i + 1) * BLOCK_BYTES)
    const value = bytes[0]!
    if (!bytes.every(byte => byte === value)) throw new Error(`block ${block + i} is mixed`)
    return value
  })
}

/** What each block holds; throws if one of them holds what it must not. */
export async function checkAllowed(
  shard: ShardStore,
  allowed: Allowed,
): Promise<ReadonlyMap<number, number>> {
  const found = new Map<number, number>()
  for (const [block, values] of allowed) {
    const [value] = await contents(shard, block, 1)
    if (!values.has(value!)) {
      throw new Error(`block ${block} holds ${value}, allowed: ${[...values].join()}`)
    }
    found.set(block, value!)
  }
  return found
}
