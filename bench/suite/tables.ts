// The tables of the suite.
import { renderTable } from '../../src/cli/render/table.js'
import { ratio, showRatio, showWhole } from '../shared/statistics.js'
import { largest } from '../shared/volumes.js'
import type { MeasuredCeiling } from './ceilings.js'
import type { GroupMemory, MeasuredRow } from './jobs-run.js'
import type { Ceiling } from './limits.js'

/** MiB that a mount may take, and a storage server without its index cache. */
const MEMORY_AIM = 250

export type Row = MeasuredRow & { readonly ceiling: Ceiling | null }

export function ceilingTable(ceilings: readonly MeasuredCeiling[]): string {
  return renderTable(ceilings, [
    { title: 'CEILING', cell: ({ name }) => name },
    { title: 'A SECOND', align: 'right', cell: ({ perSecond }) => showWhole(perSecond) },
    { title: 'MB/S', align: 'right', cell: ({ megabytes }) => showWhole(megabytes) },
    {
      title: 'P50 US',
      align: 'right',
      cell: ({ p50Microseconds }) => (p50Microseconds === null ? '-' : showWhole(p50Microseconds)),
    },
  ])
}

export function jobTable(rows: readonly Row[]): string {
  return renderTable(rows, [
    { title: 'JOB', cell: ({ job }) => job.name },
    { title: 'ON', cell: ({ on }) => on },
    { title: 'MOUNT', cell: ({ mount }) => mount.title },
    { title: 'COPIES', align: 'right', cell: ({ replicas }) => String(replicas) },
    { title: 'IOPS', align: 'right', cell: ({ result }) => showWhole(result.iops) },
    { title: 'MB/S', align: 'right', cell: ({ result }) => showWhole(result.megabytes) },
    { title: 'P50 US', align: 'right', cell: ({ result }) => showWhole(result.p50Microseconds) },
    { title: 'P99 US', align: 'right', cell: ({ result }) => showWhole(result.p99Microseconds) },
    { title: 'RATIO', align: 'right', cell: row => showRatio(ratioOf(row)) },
    { title: 'TO', cell: ({ ceiling }) => ceiling?.name ?? '-' },
  ])
}

export function ratioOf({ result, ceiling }: Row): number | null {
  return ratio(result.iops, ceiling?.perSecond ?? 0)
}

export function memoryTable(memory: readonly GroupMemory[]): string {
  const table = renderTable(memory, [
    { title: 'MIB AFTER', cell: ({ group }) => group },
    { title: 'MOUNT', align: 'right', cell: ({ memory: { mount } }) => showWhole(mount.resident) },
    { title: 'PEAK', align: 'right', cell: ({ memory: { mount } }) => showWhole(mount.peak) },
    {
      title: 'LARGEST SERVER',
      align: 'right',
      cell: ({ memory: all }) => showWhole(largest(all, 'resident')),
    },
    { title: 'PEAK', align: 'right', cell: ({ memory: all }) => showWhole(largest(all, 'peak')) },
  ])
  const peaks = memory.map(({ memory: all }) => [all.mount.peak, largest(all, 'peak')] as const)
  const most = (values: readonly number[]): string => {
    const peak = Math.max(...values)
    return `${showWhole(peak)} MiB, ${showRatio(ratio(peak, MEMORY_AIM))} of the ${MEMORY_AIM} MiB`
  }
  const mount = `the mount took at most ${most(peaks.map(([peak]) => peak))} aimed at`
  const server = `a server ${most(peaks.map(([, peak]) => peak))} that it may take beside its cache`
  return `${table}\n${mount}; ${server}`
}
