// The storage server as a process: data directory, block store, network, role, control socket.
import { statfsSync } from 'node:fs'
import { hostname } from 'node:os'
import { byteCount } from '../../base/brands.js'
import { systemClock } from '../../base/clock.js'
import { SwarmdiskError } from '../../base/errors.js'
import { LOCAL_COMMAND_DEADLINE_MS } from '../../base/limits.js'
import type { Log } from '../../base/log.js'
import { systemRandom } from '../../base/random.js'
import { askManager } from '../../client/admin-client.js'
import { NodeDisk } from '../../disk/node-disk.js'
import { nameProblem } from '../../layout/names.js'
import { ConfigurationWatch } from '../../net/configuration-watch.js'
import { StorageServer } from '../../storage/storage-server.js'
import { FileBlockStore } from '../../storage/store/file-block-store.js'
import { adminRoute } from './admin-channel.js'
import type { ClusterAccess } from './cluster-access.js'
import { serveControl } from './control-socket.js'
import { openDataDirectory, type DataDirectory } from './data-directory.js'
import { socketPath } from './run-folder.js'
import { createMember, type SwarmMember } from './swarm-member.js'
import { undoAll, type Undo } from './undo.js'

export interface StorageProcessOptions {
  readonly access: ClusterAccess
  readonly data: string
  /** Default: the host and the beginning of the identity. */
  readonly name?: string | undefined
  /** Default: the host. */
  readonly domain?: string | undefined
  /** Bytes; default: the size of the disk. */
  readonly capacity?: number | undefined
  /** Bytes a second for copies that catch up. */
  readonly maxRecovery?: number | undefined
  readonly port: number
  readonly log: Log
}

export interface StorageProcess {
  readonly name: string
  /** Resolves when a manager has registered it; rejects when one refuses. */
  readonly registered: Promise<void>
  stop(): Promise<void>
}

export async function startStorage(options: StorageProcessOptions): Promise<StorageProcess> {
  checkName('server name', options.name)
  checkName('failure domain', options.domain)
  const { access, log } = options
  const undo: Undo[] = []
  try {
    const data = openDataDirectory({ path: options.data, role: 'storage', key: access.key })
    let joined = false
    undo.push(() => (joined ? data.release() : data.discard()))
    const started = await startRole(options, data, undo)
    joined = true
    const control = await serveControl(socketPath(options.data), {
      '/ping': () => Promise.resolve({ role: 'storage', pid: process.pid }),
      '/admin': adminRoute(command =>
        askManager({
          peers: started.member.peers,
          command,
          deadline: LOCAL_COMMAND_DEADLINE_MS,
          clock: systemClock,
        }),
      ),
    })
    undo.push(() => control.close())
    log.info('storage server runs', { name: started.name })
    return { name: started.name, registered: started.registered, stop: () => undoAll(undo) }
  } catch (error) {
    await undoAll(undo)
    throw error
  }
}

interface StartedRole {
  readonly name: string
  readonly member: SwarmMember
  readonly registered: Promise<void>
}

async function startRole(
  options: StorageProcessOptions,
  data: DataDirectory,
  undo: Undo[],
): Promise<StartedRole> {
  const { access, log, port } = options
  const { keyPair, incarnation } = data
  const disk = new NodeDisk({ root: data.roleFolder })
  const store = await FileBlockStore.open({ clock: systemClock, disk, log })
  undo.push(() => store.close())
  const id = Buffer.from(keyPair.publicKey).toString('hex')
  const name = options.name ?? defaultName(id)
  const member = createMember({ access, log, port, keyPair, incarnation, name, roles: ['storage'] })
  const watch = new ConfigurationWatch({ peers: member.peers, log, clock: systemClock })
  const capacity = options.capacity ?? diskBytes(options.data)
  let registered: (() => void) | undefined
  let refused: ((error: Error) => void) | undefined
  const outcome = new Promise<void>((resolve, reject) => {
    registered = resolve
    refused = reject
  })
  // Whoever does not wait for it must not be ended by it.
  outcome.catch(() => undefined)
  const server = new StorageServer({
    clock: systemClock,
    random: systemRandom,
    disk,
    peers: member.peers,
    watch,
    store,
    log,
    self: {
      name,
      domain: options.domain ?? sanitize(hostname()),
      capacity: byteCount(capacity),
      weight: Math.max(1, Math.floor(capacity / 2 ** 30)),
      incarnation,
      addresses: () => member.network.addresses,
    },
    ...(options.maxRecovery === undefined ? {} : { maxRecovery: byteCount(options.maxRecovery) }),
    onRegistered: () => registered?.(),
    onRefused: reason => refused?.(new SwarmdiskError('refused', reason)),
  })
  await server.start()
  undo.push(() => member.stop())
  // Before the network: it tells the managers that nobody has to wait for its lease.
  undo.push(() => server.stop())
  await member.start()
  return { name, member, registered: outcome }
}

function checkName(what: string, name: string | undefined): void {
  const problem = name === undefined ? null : nameProblem(what, name)
  if (problem !== null) throw new SwarmdiskError('bad-input', problem)
}

function defaultName(id: string): string {
  return `${sanitize(hostname()).slice(0, 56)}-${id.slice(0, 4)}`
}

/** Host names may hold what names here may not. */
function sanitize(name: string): string {
  return name.replaceAll(/[^A-Za-z0-9._-]/g, '-').slice(0, 64) || 'host'
}

function diskBytes(folder: string): number {
  const { blocks, bsize } = statfsSync(folder)
  return blocks * bsize
}
