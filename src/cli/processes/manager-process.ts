// The manager as a process: data directory, network, role, and the control socket of the host,
// which is there as soon as the manager is a member of its cluster.
import { systemClock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { LOCAL_COMMAND_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { untilLed } from '../../client/admin-client.js'
import { NodeDisk } from '../../disk/node-disk.js'
import { Manager } from '../../manager/manager.js'
import type { AdminCommand, AdminResult } from '../../net/admin.js'
import { adminRoute } from './admin-channel.js'
import type { ClusterAccess } from './cluster-access.js'
import { serveControl } from './control-socket.js'
import { openDataDirectory, type DataDirectory } from './data-directory.js'
import { socketPath } from './run-folder.js'
import { createMember, type SwarmMember } from './swarm-member.js'
import { undoAll, type Undo } from './undo.js'

export interface ManagerProcessOptions {
  readonly access: ClusterAccess
  readonly data: string
  readonly newCluster: boolean
  readonly port: number
  /** Milliseconds after which a storage server that is down is replaced. */
  readonly rebuildAfter?: number
  readonly log: Log
}

export interface ManagerProcess {
  readonly id: string
  /** This start made the data directory. */
  readonly fresh: boolean
  /**
   * Resolves when it is a member of the cluster, at once if it was one already, and operators of
   * this host can ask it. Rejects with 'refused' when the cluster does not take it in.
   */
  readonly joined: Promise<JoinedManager>
  /** Until then: what it waits for, as a sentence. */
  waitingFor(): string
  stop(): Promise<void>
}

export interface JoinedManager {
  readonly epoch: number
  /** How many there are, with this one. */
  readonly managers: number
}

export async function startManager(options: ManagerProcessOptions): Promise<ManagerProcess> {
  const undo: Undo[] = []
  try {
    const data = openDataDirectory({
      path: options.data,
      role: 'manager',
      key: options.access.key,
    })
    let started = false
    undo.push(() => (started ? data.release() : data.discard()))
    let reason = 'This manager waits to be taken in by the others.'
    const onWaiting = (now: string): void => {
      reason = now
    }
    const { member, manager } = await startRole({ ...options, data, onWaiting }, undo)
    // From here on the others may have taken it in: its identity must not be lost.
    started = true
    let stopping = false
    const joined = manager.joined.then(() => {
      if (stopping) throw new SwarmdiskError('aborted', 'The manager was stopped meanwhile.')
      return serveOperators(options.data, manager, undo)
    })
    // Whoever does not wait for it must not be ended by it.
    joined.catch(() => undefined)
    const stop = (): Promise<void> => {
      stopping = true
      return undoAll(undo)
    }
    return { id: member.id, fresh: data.fresh, joined, waitingFor: () => reason, stop }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

type RoleOptions = Omit<ManagerProcessOptions, 'data'> & {
  readonly data: DataDirectory
  readonly onWaiting: (reason: string) => void
}

async function startRole(
  options: RoleOptions,
  undo: Undo[],
): Promise<{ readonly member: SwarmMember; readonly manager: Manager }> {
  const { access, data, log, newCluster, onWaiting, port, rebuildAfter } = options
  const { keyPair, incarnation } = data
  const member = createMember({
    ...{ access, log, port, keyPair, incarnation },
    name: `manager ${data.path}`,
    roles: ['manager'],
  })
  const manager = new Manager({
    clock: systemClock,
    random: systemRandom,
    disk: new NodeDisk({ root: data.roleFolder }),
    peers: member.peers,
    log,
    addresses: () => member.network.addresses,
    newCluster,
    onWaiting,
    ...(rebuildAfter === undefined ? {} : { rebuildAfter }),
  })
  await manager.start()
  undo.push(() => member.stop())
  // Before the network: a leader hands over to another manager.
  undo.push(() => manager.stop())
  await member.start()
  return { member, manager }
}

async function serveOperators(
  data: string,
  manager: Manager,
  undo: Undo[],
): Promise<JoinedManager> {
  const ask = (command: AdminCommand): Promise<AdminResult> =>
    untilLed({
      clock: systemClock,
      deadline: LOCAL_COMMAND_DEADLINE_MS,
      ask: async () => JSON.parse(await manager.admin(JSON.stringify(command))) as AdminResult,
    })
  const control = await serveControl(socketPath(data), {
    '/ping': () => Promise.resolve({ role: 'manager', pid: process.pid }),
    '/admin': adminRoute(ask),
  })
  undo.push(() => control.close())
  const { epoch, managers } = manager.configuration
  return { epoch, managers: managers.length }
}
