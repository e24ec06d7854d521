// What managers have agreed on, compared: one history everywhere, without gaps.
import type { Test } from 'tape'
import type { EpochResult } from '../../src/net/admin.js'
import type { TestCluster } from './cluster.js'
import { eventually } from './tools.js'

/** Waits until these managers know the same newest epoch, then compares all of them. */
export async function agreed(
  t: Test,
  cluster: TestCluster,
  managers = cluster.managers,
): Promise<readonly EpochResult[]> {
  let lists: (readonly EpochResult[])[] = []
  await eventually('all managers know the same newest epoch', async () => {
    lists = await Promise.all(managers.map(name => cluster.epochs(name)))
    return new Set(lists.map(list => list.at(-1)?.epoch)).size === 1
  })
  const [first = [], ...others] = lists
  for (const [i, other] of others.entries()) {
    t.deepEqual(other, first, `${managers[i + 1]} has the history of ${managers[0]}`)
  }
  const wanted = first.map((_, i) => i + 1)
  const found = first.map(record => record.epoch)
  t.deepEqual(found, wanted, `epochs 1 to ${first.length} without gaps`)
  return first
}

export function newest(epochs: readonly EpochResult[]): number {
  return epochs.at(-1)?.epoch ?? 0
}

export function countOf(epochs: readonly EpochResult[], kind: string): number {
  return epochs.filter(record => record.kind === kind).length
}
