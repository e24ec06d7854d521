// What managers have agreed on, compared where it counts: on the disk of each. Any manager passes a
// question on to the leader, so that asking them would only compare the leader with itself.
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tape'
import { epoch } from '../../src/base/brands.js'
import { silentLog } from '../../src/base/log.js'
import { NodeDisk } from '../../src/disk/node-disk.js'
import type { HistoryRecord } from '../../src/manager/history/configuration-history.js'
import { FileRaftStore } from '../../src/manager/history/file-raft-store.js'
import type { EpochResult } from '../../src/net/admin.js'
import type { TestCluster } from './cluster.js'
import { eventually } from './tools.js'

/** Waits until these managers have the same newest epoch, then compares all of them. */
export async function agreed(
  t: Test,
  cluster: TestCluster,
  managers = cluster.managers,
): Promise<readonly EpochResult[]> {
  let told: readonly EpochResult[] = []
  let lists: (readonly HistoryRecord[])[] = []
  await eventually('all managers have the same newest epoch', async () => {
    const answers = await Promise.all(managers.map(name => cluster.epochs(name)))
    // One that has just come back may not know yet who leads.
    told = answers.reduce((a, b) => (newest(b) > newest(a) ? b : a))
    const last = newest(told)
    lists = await Promise.all(managers.map(name => onDisk(cluster.dataOf(name), last)))
    return lists.every(list => list.at(-1)?.epoch === last)
  })
  const [first = [], ...others] = lists
  for (const [i, other] of others.entries()) {
    t.deepEqual(other, first, `${managers[i + 1]} has the history of ${managers[0]}`)
  }
  const wanted = Array.from({ length: newest(told) }, (_, i) => i + 1)
  const epochs = (list: readonly { readonly epoch: number }[]): number[] =>
    list.map(record => record.epoch)
  t.deepEqual(epochs(first), wanted, `epochs 1 to ${wanted.length} without gaps`)
  t.deepEqual(epochs(told), wanted, 'also in "epoch list"')
  return told
}

/** Read from a copy: opening repairs, and the manager may be running. */
async function onDisk(data: string, last: number): Promise<readonly HistoryRecord[]> {
  const copy = await mkdtemp(join(tmpdir(), 'swarmdisk-test-'))
  try {
    await cp(join(data, 'manager'), copy, { recursive: true })
    const disk = new NodeDisk({ root: copy })
    const { store } = await FileRaftStore.open({ disk, log: silentLog })
    const records = await store.records(epoch(1), epoch(last), last)
    await store.close()
    return records
  } finally {
    await rm(copy, { recursive: true, force: true })
  }
}

export function newest(epochs: readonly EpochResult[]): number {
  return epochs.at(-1)?.epoch ?? 0
}

export function countOf(epochs: readonly EpochResult[], kind: string): number {
  return epochs.filter(record => record.kind === kind).length
}
