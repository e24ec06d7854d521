// What the disk of the storage servers allows at best: 4 KiB written and made durable, by so many
// processes at the same time, each in a file of its own.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Timing } from '../shared/fio.js'
import { mean, middleBy } from '../shared/statistics.js'
import { CeilingChild } from './child.js'

/** Writes a second of each process: the median of the runs after one that does not count. */
export async function measureDisk(
  processes: number,
  { seconds, runs, signal }: Timing & { readonly signal: AbortSignal },
): Promise<number> {
  // Where a cluster of a benchmark has its data.
  const folder = await mkdtemp(join(tmpdir(), 'swarmdisk-ceiling-'))
  const path = (i: number): string => join(folder, `file-${i}`)
  const writers = Array.from({ length: processes }, (_, i) => {
    return new CeilingChild({ name: 'disk-writer', words: [path(i)], signal })
  })
  try {
    await Promise.all(writers.map(writer => writer.told()))
    const measured: number[] = []
    for (let i = 0; i <= runs; i++) {
      const rates = await Promise.all(writers.map(writer => writer.ask({ seconds })))
      if (i > 0) measured.push(mean(rates as number[]) ?? 0)
    }
    return middleBy(measured, rate => rate)
  } finally {
    await Promise.all(writers.map(writer => writer.stop()))
    await rm(folder, { recursive: true })
  }
}
