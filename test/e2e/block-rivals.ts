// Readers and writers that fight over a few blocks of a volume, through one or several mounts. All
// of them are in this process, so that one clock tells what came before what, and everything they
// do is recorded for the linearizability checker of the simulator. Every write has a value of its
// own, in every word of the block, so that a read tells which write it saw, and whether all of it.
import { constants } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { systemClock } from '../../src/base/clock.js'
import { Histories } from '../simulator/check/histories.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK } from '../simulator/check/volume-model.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import type { LoadOwner } from './image-load.js'
import { eventually, within } from './tools.js'

export const BLOCK_BYTES = SECTORS_PER_BLOCK * SECTOR_BYTES
/** What is held for a dead server goes on within this. */
const HELD_LIMIT_MS = 60_000
const WORD_BYTES = 4
/** Of a sector whose words differ: nobody has written that, so the checker refuses it. */
const TORN = -1

/** As many as node does file I/O at the same time: more would only wait for each other here. */
const RIVALS_MAX = 4

export class BlockRivals {
  readonly histories = new Histories(systemClock)
  readonly #owner: LoadOwner
  /** Numbers of blocks. */
  readonly #blocks: readonly number[]
  readonly #rivals: { readonly done: Promise<void>; operations: number }[] = []
  #value = 0
  #failure: string | null = null
  #stopping = false

  constructor(owner: LoadOwner, blocks: readonly number[]) {
    this.#owner = owner
    this.#blocks = blocks
    this.#owner.stopFirst(() => this.stop())
  }

  add(image: string): void {
    const number = this.#rivals.length
    if (number >= RIVALS_MAX) throw new Error('too many rivals')
    const done = this.#work(image, number).catch((error: unknown) => {
      this.#failure ??= `${image}: ${String(error)}`
    })
    this.#rivals.push({ done, operations: 0 })
  }

  get operations(): number {
    return this.#rivals.reduce((sum, { operations }) => sum + operations, 0)
  }

  /** Waits until each has done so many more. */
  async progress(count: number): Promise<void> {
    const before = this.#rivals.map(({ operations }) => operations)
    await eventually(`each rival has done ${count} operations more`, () => {
      if (this.#failure !== null) throw new Error(this.#failure)
      const done = this.#rivals.every(({ operations }, i) => operations >= before[i]! + count)
      return Promise.resolve(done)
    })
  }

  /** The first error, or null. */
  async stop(): Promise<string | null> {
    this.#stopping = true
    const all = Promise.all(this.#rivals.map(({ done }) => done))
    await within('what is under way is answered', all, HELD_LIMIT_MS)
    return this.#failure
  }

  async #work(image: string, number: number): Promise<void> {
    const file = await open(image, constants.O_RDWR | constants.O_DIRECT)
    const random = new SeededRandom(number + 1)
    const who = `rival ${number}`
    try {
      while (!this.#stopping && this.#failure === null) {
        const block = this.#blocks[random.below(this.#blocks.length)]!
        const kind = random.below(16)
        if (kind === 0) await file.sync()
        else if (kind < 8) await this.#write(file, who, block)
        else await this.#read(file, who, block)
        this.#rivals[number]!.operations++
      }
    } finally {
      await file.close()
    }
  }

  /** One that fails stays open in the history: it may have happened. */
  async #write(file: FileHandle, who: string, block: number): Promise<void> {
    const value = ++this.#value
    const written = this.histories.write(who, sectorsOf(block), value)
    await file.write(filled(value), 0, BLOCK_BYTES, block * BLOCK_BYTES)
    written()
  }

  async #read(file: FileHandle, who: string, block: number): Promise<void> {
    const content = Buffer.alloc(BLOCK_BYTES)
    const read = this.histories.read(who, sectorsOf(block))
    await file.read(content, 0, BLOCK_BYTES, block * BLOCK_BYTES)
    read(valuesOf(content))
  }
}

function sectorsOf(block: number): { readonly first: number; readonly count: number } {
  return { first: block * SECTORS_PER_BLOCK, count: SECTORS_PER_BLOCK }
}

export function filled(value: number, bytes = BLOCK_BYTES): Buffer {
  const word = Buffer.alloc(WORD_BYTES)
  word.writeUInt32LE(value)
  return Buffer.alloc(bytes, word)
}

function valuesOf(content: Buffer): number[] {
  return Array.from({ length: SECTORS_PER_BLOCK }, (_, i) => {
    const sector = content.subarray(i * SECTOR_BYTES, (i + 1) * SECTOR_BYTES)
    const value = sector.readUInt32LE(0)
    return sector.equals(filled(value, SECTOR_BYTES)) ? value : TORN
  })
}
