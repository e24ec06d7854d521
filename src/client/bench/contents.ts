// What is written: exactly what is there. It is read once the volume is attached, kept in memory,
// and written back from there. What has a block of zeroes is left out: that may be a hole, and is
// to stay one.
import { assert } from '../../base/assert.js'
import type { ByteOffset } from '../../base/brands.js'
import type { Interruption } from '../../base/interruption.js'
import {
  BENCH_CONTENT_BYTES,
  CLIENT_WINDOW_BYTES,
  TRANSFER_PIECES_AT_ONCE,
} from '../../base/limits.js'
import { runsOf, type Reader } from '../transfer/pieces.js'
import type { Units } from './units.js'

export interface Written {
  readonly offset: ByteOffset
  readonly content: Uint8Array
}

/** Units that fit the memory kept for contents. */
export function contentUnits(unit: number): number {
  return Math.floor(BENCH_CONTENT_BYTES / unit)
}

export interface ContentsWanted {
  readonly units: Units
  /** Bytes. */
  readonly unit: number
  readonly interruption: Interruption
}

/** In the order of the units; fewer of them after an interruption. */
export async function readContents(
  reader: Reader,
  { units, unit, interruption }: ContentsWanted,
): Promise<readonly Written[]> {
  assert(units.count * unit <= BENCH_CONTENT_BYTES, 'all contents fit')
  const memory = Buffer.alloc(units.count * unit)
  const read: Written[] = []
  let next = 0
  const line = async (): Promise<void> => {
    while (next < units.count && !interruption.asked) {
      const index = next++
      const content = memory.subarray(index * unit, (index + 1) * unit)
      const offset = units.offset(index)
      await reader.read(offset, content)
      read[index] = { offset, content }
    }
  }
  const lines = Math.min(TRANSFER_PIECES_AT_ONCE, Math.floor(CLIENT_WINDOW_BYTES / unit))
  await Promise.all(Array.from({ length: lines }, line))
  return read.filter(({ content }) => runsOf(0, content).every(run => run.content !== null))
}
