// What `status` and the lists answer: the configuration, seen together with who is connected and
// what servers and clients have reported. Pure.
import type { PeerId } from '../../base/brands.js'
import type { Configuration, VolumeRecord } from '../../layout/configuration.js'
import { explainUnavailable } from '../../layout/condition.js'
import { heldByEach } from '../../layout/movement/newcomers.js'
import type {
  AttachmentResult,
  ClientResult,
  ServerResult,
  StatusResult,
  VolumeDetail,
  VolumeResult,
  VolumeUsage,
} from '../../net/admin.js'
import type { ClientReport, StorageReport } from '../../net/messages.js'
import {
  formatAddress,
  formatBytes,
  formatSeconds,
  serverName,
  shortId,
} from '../describe-change.js'
import type { ClientSeen } from '../leases/access-desk.js'
import { bytesLeft, type Progress } from '../movement/progress.js'
import { managerProblems, managerResults, type ManagersView } from './managers.js'
import { volumeResult, worst, type BytesLeft, type Connected } from './volume-health.js'

export interface View extends ManagersView {
  readonly connected: Connected
  readonly storageReports: ReadonlyMap<PeerId, StorageReport>
  readonly clientReports: ReadonlyMap<PeerId, ClientReport>
  readonly seen: (client: PeerId) => ClientSeen
  readonly progress: Pick<Progress, 'drainOf' | 'syncSeconds'>
  /** The epoch of a peer that is newer than ours; 0 if none is. */
  readonly newerElsewhere: number
}

export function statusOf(view: View): StatusResult {
  const { configuration } = view
  const managers = managerResults(view)
  const servers = serverResults(view)
  const left = leftOf(view)
  const volumes = [...configuration.volumes.values()].map(volume =>
    withAttachments(view, volume, left),
  )
  const hurt = servers.some(isHurt)
  const weak = view.leader === null || managers.some(({ reachable }) => !reachable)
  const health = worst([...volumes.map(volume => volume.health), hurt || weak ? 'degraded' : 'ok'])
  return {
    epoch: configuration.epoch,
    cluster: configuration.cluster,
    health: view.newerElsewhere > 0 ? 'unavailable' : health,
    problems: problemsOf(view, servers, volumes),
    managers,
    servers,
    volumes: [...volumes].sort(byName),
    clients: clientResults(view),
  }
}

function isHurt({ state, reachable, corruptBlocks, problem }: ServerResult): boolean {
  return state === 'down' || !reachable || corruptBlocks > 0 || problem !== ''
}

const NOTHING_SERVED = { reads: 0, writes: 0, flushes: 0, bytesRead: 0, bytesWritten: 0 }

export function serverResults(view: View): readonly ServerResult[] {
  const held = heldByEach(view.configuration)
  return [...view.configuration.servers.values()]
    .map((server): ServerResult => {
      const report = view.storageReports.get(server.id)
      const { name, id, capacity, domain, weight, incarnation } = server
      const reachable = view.connected.has(id)
      return {
        ...{ name, id },
        state: !reachable || server.state === 'down-draining' ? 'down' : server.state,
        used: report?.used ?? 0,
        ...{ capacity, domain, weight, reachable },
        addresses: server.addresses.map(({ host, port }) => formatAddress(host, port)),
        incarnation,
        corruptBlocks: report?.corruptBlocks ?? 0,
        problem: report?.problem ?? '',
        served: report?.served ?? NOTHING_SERVED,
        recovered: report?.recovered ?? 0,
        shards: held.get(id)!,
        drain: view.progress.drainOf(id),
      }
    })
    .sort(byName)
}

function leftOf({ storageReports, connected }: View): BytesLeft {
  return {
    syncing: bytesLeft(storageReports, connected, 'syncing'),
    merging: bytesLeft(storageReports, connected, 'merging'),
  }
}

export function withAttachments(
  view: View,
  volume: VolumeRecord,
  left: BytesLeft = leftOf(view),
): VolumeResult {
  const attachments = volume.attachments.map((attachment): AttachmentResult => {
    return { ...attachment, ...view.seen(attachment.client) }
  })
  const syncSecondsLeft = view.progress.syncSeconds(volume.id)
  const origin = originOf(view.configuration, volume)
  return { ...volumeResult(volume, view.connected, left), origin, syncSecondsLeft, attachments }
}

/** As commands write it. The origin of a clone is there: its snapshot cannot be deleted. */
export function originOf({ volumes }: Configuration, { origin }: VolumeRecord): string | null {
  if (origin === null) return null
  return `${volumes.get(origin.volume)?.name ?? origin.volume}@${origin.snapshot}`
}

export function volumeDetail(view: View, volume: VolumeRecord, usage: VolumeUsage): VolumeDetail {
  const { configuration } = view
  return {
    ...withAttachments(view, volume),
    usage,
    created: volume.created,
    placement: volume.shards.map(({ epoch, generation, replicas, stale }, shard) => ({
      ...{ shard, epoch, generation },
      replicas: replicas.map(({ server, state }) => {
        return { server: serverName(configuration, server), state }
      }),
      stale: stale.map(server => serverName(configuration, server)),
    })),
  }
}

function clientResults({ clientReports }: View): readonly ClientResult[] {
  return [...clientReports].map(([id, { host, mountPoint, epoch, held }]) => {
    return { id, host, mountPoint, epoch, held }
  })
}

function problemsOf(
  view: View,
  servers: readonly ServerResult[],
  volumes: readonly VolumeResult[],
): readonly string[] {
  const { configuration, connected, newerElsewhere } = view
  const problems: string[] = []
  if (newerElsewhere > 0) {
    problems.push(
      `The data directory of the manager is an old copy, a peer knows epoch ${newerElsewhere}: ` +
        'start the manager with the newest copy. No change is possible until then.',
    )
  }
  if (servers.length === 0) {
    problems.push('The cluster has no storage server yet: start one with `swarmdisk storage`.')
  }
  problems.push(...managerProblems(view))
  for (const { name, reachable, state } of servers) {
    if (!reachable) problems.push(`Storage server ${name} is not reachable: start it again.`)
    else if (state === 'down') {
      problems.push(
        `Storage server ${name} was declared down and is connected again: wait until it has ` +
          'registered.',
      )
    }
  }
  problems.push(...explainUnavailable(configuration, connected).map(sentence))
  problems.push(...servers.flatMap(ofDrain))
  problems.push(...volumes.flatMap(ofVolume))
  for (const { name, problem, corruptBlocks } of servers) {
    if (problem !== '') problems.push(`Storage server ${name}: ${problem}`)
    if (corruptBlocks === 0) continue
    problems.push(
      `Storage server ${name} has found ${corruptBlocks} corrupt blocks: check its disk; ` +
        'they are not served.',
    )
  }
  problems.push(...heldClients(view))
  return problems
}

function ofVolume(volume: VolumeResult): readonly string[] {
  const { shards, syncBytesLeft, syncSecondsLeft } = volume
  if (shards.syncing === 0) return []
  return [
    `Volume ${volume.name}: ${shards.syncing} shards are brought up to date, ` +
      `${formatBytes(syncBytesLeft)} to go${inTime(syncSecondsLeft)}: nothing to do but wait.`,
  ]
}

/** What an operator has begun, and what is to be done when it is over. */
function ofDrain({ name, drain }: ServerResult): readonly string[] {
  if (!drain) return []
  const { shardsLeft, bytesLeft: bytes, secondsLeft, waitsFor } = drain
  if (shardsLeft === 0) {
    return [
      `Storage server ${name} is empty: take it out with \`swarmdisk server remove ${name}\`, or ` +
        `keep it with \`swarmdisk server undrain ${name}\`.`,
    ]
  }
  const shards = `${shardsLeft} ${shardsLeft === 1 ? 'shard' : 'shards'}`
  const size = bytes === null ? '' : `, about ${formatBytes(bytes)}`
  const left = `Storage server ${name} is being emptied, ${shards}${size} to go`
  if (waitsFor !== '') return [`${left}: ${waitsFor.replace(/[.]$/, '')}.`]
  return [`${left}${inTime(secondsLeft)}: nothing to do but wait.`]
}

function inTime(seconds: number | null): string {
  return seconds === null ? '' : `, ready in about ${formatSeconds(seconds)}`
}

function sentence(line: string): string {
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}.`
}

function heldClients({ clientReports }: View): readonly string[] {
  return [...clientReports].flatMap(([id, { host, mountPoint, held }]) => {
    if (!held) return []
    const where = `${host}:${mountPoint} (${shortId(id)})`
    const requests = `${held.requests} request${held.requests === 1 ? '' : 's'}`
    return [`Client ${where} holds ${requests} since ${held.since}: ${held.reason}`]
  })
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0
}
