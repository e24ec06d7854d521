// The manager as a process: data directory, network, role, and the control socket of the host.
import { systemClock } from '../../base/clock.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { NodeDisk } from '../../disk/node-disk.js'
import { Manager } from '../../manager/manager.js'
import type { ClusterAccess } from './cluster-access.js'
import { serveControl } from './control-socket.js'
import { openDataDirectory } from './data-directory.js'
import { socketPath } from './run-folder.js'
import { createMember } from './swarm-member.js'
import { undoAll, type Undo } from './undo.js'

export interface ManagerProcessOptions {
  readonly access: ClusterAccess
  readonly data: string
  readonly newCluster: boolean
  readonly port: number
  readonly log: Log
}

export interface ManagerProcess {
  readonly id: string
  readonly epoch: number
  stop(): Promise<void>
}

export async function startManager(options: ManagerProcessOptions): Promise<ManagerProcess> {
  const { access, log, newCluster, port } = options
  const undo: Undo[] = []
  try {
    const data = openDataDirectory({ path: options.data, role: 'manager', key: access.key })
    let served = false
    undo.push(() => (served ? data.release() : data.discard()))
    const disk = new NodeDisk({ root: data.roleFolder })
    const { keyPair, incarnation } = data
    const name = `manager ${options.data}`
    const member = createMember({
      access,
      log,
      port,
      keyPair,
      incarnation,
      name,
      roles: ['manager'],
    })
    const manager = new Manager({
      clock: systemClock,
      random: systemRandom,
      disk,
      peers: member.peers,
      log,
      addresses: () => member.network.addresses,
      newCluster,
    })
    await manager.start()
    undo.push(() => manager.stop())
    undo.push(() => member.stop())
    await member.start()
    served = true
    const control = await serveControl(socketPath(options.data), {
      '/ping': () => Promise.resolve({ role: 'manager', pid: process.pid }),
      '/admin': command => manager.admin(JSON.stringify(command)).then(parseJson),
    })
    undo.push(() => control.close())
    return {
      id: member.id,
      epoch: manager.configuration.epoch,
      stop: () => undoAll(undo),
    }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

function parseJson(text: string): unknown {
  return JSON.parse(text)
}
