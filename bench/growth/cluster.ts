// Clusters of any size, and changes of them. Their volumes are planned and applied one by one, but
// not on top of each other, which would take minutes.
import {
  byteCount,
  clusterId,
  epoch,
  incarnation,
  volumeId,
  type ByteCount,
  type PeerId,
} from '../../src/base/brands.js'
import { apply } from '../../src/layout/apply.js'
import type { Change } from '../../src/layout/change.js'
import type { Configuration, ServerRecord, VolumeRecord } from '../../src/layout/configuration.js'
import { checkConfiguration } from '../../src/layout/invariants.js'
import { isRefusal } from '../../src/layout/outcome.js'
import { LoadLedger } from '../../src/layout/placement/load-ledger.js'
import { planVolume } from '../../src/layout/placement/planner.js'
import { inSyncOn } from '../../src/layout/replicas.js'
import { testPeer } from '../../test/helpers/scripted-peers.js'

const GiB = 2 ** 30
export const VOLUME_BYTES = byteCount(100 * GiB)
export const MANAGER = testPeer(0xa)
export const CLIENT = testPeer(0xc)
/** Volumes that are placed alike. */
const ALIKE = 20
export const START = incarnation(1)

export interface Cluster {
  readonly configuration: Configuration
  /** Of a manager that has made it. */
  readonly ledger: LoadLedger
}

export function must(configuration: Configuration | null, change: Change): Configuration {
  const outcome = apply(configuration, change)
  if (isRefusal(outcome)) throw new Error(outcome.reason)
  return outcome.configuration
}

export function serverJoins(n: number): Change {
  const server = {
    ...{ id: testPeer(0x10000 + n), name: `s${n}`, domain: `d${n}`, weight: 100 },
    ...({ capacity: byteCount(1024 * GiB), state: 'up', incarnation: START } as const),
    addresses: [{ host: '127.0.0.1', port: 4000 }],
  }
  return { kind: 'server-registered', server }
}

export function volumeComes({ configuration, ledger }: Cluster, size = VOLUME_BYTES): Change {
  const name = `v${configuration.nextVolume}`
  const plan = planVolume(configuration, { name, size, replicas: 3, minInSync: 2 }, ledger)
  if (isRefusal(plan)) throw new Error(plan.reason)
  return plan
}

/** The smallest change there is, and the most frequent one: a client opens a volume. */
export function clientOpens({ volumes }: Configuration): Change {
  const [volume] = volumes.keys()
  return {
    ...{ kind: 'volume-attached', volume: volume!, client: CLIENT, host: 'host' },
    ...{ mode: 'exclusive', since: '2026-01-01T00:00:00.000Z', takeover: false },
  }
}

export function serverGoes({ servers }: Configuration): Extract<Change, { kind: 'server-down' }> {
  const [lost, ...live] = servers.keys()
  return { kind: 'server-down', server: lost!, incarnation: START, reason: 'silent', live }
}

/** `size`: of the first volume; all others have VOLUME_BYTES. */
export function grown(servers: number, volumes: number, size = VOLUME_BYTES): Cluster {
  const manager = { id: MANAGER, addresses: [] }
  const cluster = clusterId('00'.repeat(16))
  let empty = must(null, { kind: 'cluster-created', cluster, manager })
  for (let i = 1; i <= servers; i++) empty = must(empty, serverJoins(i))
  const records: VolumeRecord[] = [volumeOf(empty, 1, { size, turn: 0 })]
  while (records.length < volumes) records.push(...more(empty, records.length, volumes))
  const configuration: Configuration = {
    ...empty,
    epoch: epoch(empty.epoch + volumes),
    volumes: new Map(records.map(record => [record.id, record])),
    nextVolume: volumeId(volumes + 1),
  }
  checkConfiguration(configuration)
  const ledger = new LoadLedger()
  ledger.of(configuration)
  return { configuration, ledger }
}

/** One placement serves for several volumes, on other servers each: 10,000 plans take a minute. */
function more(empty: Configuration, from: number, to: number): readonly VolumeRecord[] {
  const first = volumeOf(empty, from + 1, { size: VOLUME_BYTES, turn: from })
  const ids = [...empty.servers.keys()]
  const numbers = new Map(ids.map((id, i) => [id, i]))
  const records = [first]
  for (let id = from + 2; id <= Math.min(to, from + ALIKE); id++) {
    const turn = (id - from) * first.shards.length * first.replicas
    const elsewhere = (server: PeerId): ServerRecord =>
      empty.servers.get(ids[(numbers.get(server)! + turn) % ids.length]!)!
    const shards = first.shards.map(shard => {
      return { ...shard, replicas: shard.replicas.map(one => inSyncOn(elsewhere(one.server))) }
    })
    records.push({ ...first, id: volumeId(id), name: `v${id}`, shards })
  }
  return records
}

/** As it is made in a cluster that has no other one; `turn`: on which servers. */
function volumeOf(
  empty: Configuration,
  id: number,
  { size, turn }: { readonly size: ByteCount; readonly turn: number },
): VolumeRecord {
  const configuration = { ...empty, nextVolume: volumeId(id) }
  const change = volumeComes({ configuration, ledger: new LoadLedger() }, size)
  if (change.kind !== 'volume-created') throw new Error('a volume comes')
  const ids = [...empty.servers.keys()]
  const numbers = new Map(ids.map((server, i) => [server, i]))
  const placement = change.placement.map(servers =>
    servers.map(server => ids[(numbers.get(server)! + turn) % ids.length]!),
  )
  return must(configuration, { ...change, placement }).volumes.get(volumeId(id))!
}

export function everybody({ servers }: Configuration): Map<PeerId, typeof START> {
  return new Map([...servers.keys()].map(id => [id, START]))
}
