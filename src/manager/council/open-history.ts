// Opens the history in a manager's data directory: goes on with the cluster it holds, makes a new
// one (--new), or begins with nothing, to be taken in by the managers of the cluster key.
import { assert } from '../../base/assert.js'
import { clusterId } from '../../base/brands.js'
import { SwarmdiskError } from '../../base/errors.js'
import type { Address, Configuration } from '../../layout/configuration.js'
import type { Change } from '../../layout/change.js'
import type { Vote } from '../history/configuration-history.js'
import { RaftHistory, type RaftHistoryOptions } from '../history/raft-history.js'
import { shortId } from '../describe-change.js'

export interface OpenHistoryOptions extends RaftHistoryOptions {
  readonly addresses: () => readonly Address[]
  readonly newCluster: boolean
}

/**
 * There while this manager waits to be taken in for the first time. One without it that is no
 * member was removed, and only an operator takes it in again.
 */
const JOINING = 'manager/joining'

export interface OpenedHistory {
  readonly history: RaftHistory
  /** It asks to be taken in. */
  readonly joining: boolean
}

export async function openHistory(options: OpenHistoryOptions): Promise<OpenedHistory> {
  const { disk, newCluster } = options
  const history = await RaftHistory.open(options)
  const configuration = history.current()
  try {
    if (newCluster && configuration) throw otherHistory(configuration)
    const marked = await exists(options, JOINING)
    const empty = !configuration && history.members.length === 0
    if (newCluster && (marked || !empty)) throw otherCluster()
    if (!newCluster) {
      if (empty && !marked) {
        await disk.makeFolder('manager')
        const file = await disk.open(JOINING, 'create')
        await file?.close()
        await disk.syncFolder('manager')
      }
      return { history, joining: empty || marked }
    }
  } catch (error) {
    await history.close()
    throw error
  }
  await history.close()
  await createCluster(options)
  return { history: await RaftHistory.open(options), joining: false }
}

/** It is a member: the next start goes on with what it has. */
export async function joined({ disk }: Pick<OpenHistoryOptions, 'disk'>): Promise<void> {
  await disk.remove(JOINING)
  await disk.syncFolder('manager')
}

async function createCluster(options: OpenHistoryOptions): Promise<void> {
  const { addresses, random, self } = options
  const cluster = clusterId(Buffer.from(random.bytes(16)).toString('hex'))
  const manager = { id: self, addresses: addresses() }
  const change: Change = { kind: 'cluster-created', cluster, manager }
  const vote: Vote = { voter: self, role: 'manager', approve: true, policy: false, reason: '' }
  assert(change.kind === 'cluster-created', 'the first change makes the cluster')
  await RaftHistory.create(options, change, {
    proposer: `manager ${shortId(self)}`,
    votes: [vote],
  })
}

async function exists({ disk }: OpenHistoryOptions, path: string): Promise<boolean> {
  const file = await disk.open(path, 'existing')
  await file?.close()
  return file !== null
}

function otherHistory({ cluster, epoch }: Configuration): SwarmdiskError {
  const message =
    `This data directory already holds cluster ${cluster} at epoch ${epoch}: start the manager ` +
    'without --new, or give an empty directory to --data'
  return new SwarmdiskError('data-directory', message)
}

function otherCluster(): SwarmdiskError {
  const message =
    'This data directory belongs to a manager that joins a cluster: start it without --new, or ' +
    'give an empty directory to --data'
  return new SwarmdiskError('data-directory', message)
}
