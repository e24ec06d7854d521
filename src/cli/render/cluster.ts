// Status, servers, volumes and epochs as people read them: first a verdict, then one line for each
// problem with what to do about it, then tables.
import { formatSchedules } from '../../layout/names.js'
import type {
  AttachmentResult,
  EpochResult,
  StatusResult,
  VolumeDetail,
  VolumeResult,
  VolumeUsage,
} from '../../net/admin.js'
import { formatSize } from '../size.js'
import { renderManagers } from './managers.js'
import { renderServers } from './servers.js'
import { renderTable } from './table.js'

const VERDICTS: Readonly<Record<StatusResult['health'], string>> = {
  ok: 'ok: every volume has all its copies',
  degraded: 'degraded: all data can be reached, but copies are missing',
  unavailable: 'unavailable: some data cannot be read or written now',
}

export function renderStatus(status: StatusResult): string {
  const parts = [`${VERDICTS[status.health]} (epoch ${status.epoch})`]
  if (status.problems.length > 0) parts.push(status.problems.map(line => `  ! ${line}`).join('\n'))
  parts.push(renderManagers(status.managers))
  if (status.servers.length > 0) parts.push(renderServers(status.servers))
  if (status.volumes.length > 0) parts.push(renderVolumes(status.volumes))
  if (status.clients.length > 0) parts.push(renderClients(status.clients))
  return parts.join('\n\n')
}

function renderClients(clients: StatusResult['clients']): string {
  return renderTable(clients, [
    { title: 'CLIENT', cell: client => client.host },
    { title: 'MOUNT', cell: client => client.mountPoint },
    { title: 'I/O', cell: ({ held }) => (held ? `${held.requests} held` : 'ok') },
    { title: 'SINCE', cell: ({ held }) => held?.since ?? '' },
    { title: 'REASON', cell: ({ held }) => held?.reason ?? '' },
  ])
}

export function renderVolumes(volumes: readonly VolumeResult[]): string {
  const clones = volumes.some(({ origin }) => origin !== null)
  const merging = volumes.some(({ mergeBytesLeft }) => mergeBytesLeft > 0)
  return renderTable(volumes, [
    { title: 'VOLUME', cell: volume => volume.name },
    { title: 'SIZE', align: 'right', cell: volume => formatSize(volume.size) },
    { title: 'HEALTH', cell: volume => volume.health },
    { title: 'REPLICAS', align: 'right', cell: volume => String(volume.replicas) },
    { title: 'SHARDS', align: 'right', cell: volume => String(volume.shards.total) },
    { title: 'IN-SYNC', align: 'right', cell: volume => String(volume.shards.inSync) },
    { title: 'SYNCING', align: 'right', cell: volume => String(volume.shards.syncing) },
    { title: 'DEGRADED', align: 'right', cell: volume => String(volume.shards.degraded) },
    { title: 'UNAVAILABLE', align: 'right', cell: volume => String(volume.shards.unavailable) },
    { title: 'ATTACHED AT', cell: volume => volume.attachments.map(({ host }) => host).join(' ') },
    ...(merging
      ? [{ title: 'MERGING', cell: (one: VolumeResult) => mergeText(one.mergeBytesLeft) }]
      : []),
    ...(clones ? [{ title: 'CLONE OF', cell: (one: VolumeResult) => one.origin ?? '' }] : []),
  ])
}

function mergeText(bytes: number): string {
  return bytes === 0 ? '' : `${formatSize(bytes)} to go`
}

export function renderVolumeDetail(volume: VolumeDetail, now = Date.now()): string {
  const shards = renderTable(volume.placement, [
    { title: 'SHARD', align: 'right', cell: shard => String(shard.shard) },
    { title: 'EPOCH', align: 'right', cell: shard => String(shard.epoch) },
    { title: 'GENERATION', align: 'right', cell: shard => String(shard.generation) },
    {
      title: 'REPLICAS (PRIMARY FIRST)',
      cell: shard =>
        shard.replicas
          .map(
            replica => replica.server + (replica.state === 'in-sync' ? '' : ` (${replica.state})`),
          )
          .join(', '),
    },
    { title: 'STALE', cell: shard => shard.stale.join(', ') },
  ])
  return [
    renderVolumes([volume]),
    renderVolumeSettings(volume),
    ...renderUsage(volume.usage),
    ...renderAttachments(volume.attachments, now),
    shards,
  ].join('\n\n')
}

function renderUsage({ used, snapshots, silent }: VolumeUsage): string[] {
  const missing = silent.length === 0 ? '' : `, without ${silent.join(', ')}: no answer`
  const table = renderTable(snapshots, [
    { title: 'SNAPSHOT', cell: snapshot => snapshot.name },
    { title: 'AT', cell: snapshot => snapshot.at },
    { title: 'WRITTEN', align: 'right', cell: ({ written }) => formatSize(written) },
    { title: 'HELD ALONE', align: 'right', cell: ({ alone }) => formatSize(alone) },
  ])
  const line = `takes ${formatSize(used)} on all servers together${missing}`
  return snapshots.length === 0 ? [line] : [line, table]
}

/** What `volume set` can change. */
export function renderVolumeSettings(volume: VolumeResult): string {
  return renderTable(
    [volume],
    [
      { title: 'VOLUME', cell: ({ name }) => name },
      { title: 'MIN-IN-SYNC', align: 'right', cell: ({ minInSync }) => String(minInSync) },
      { title: 'SNAPSHOTS KEPT', cell: ({ schedules }) => formatSchedules(schedules) },
    ],
  )
}

/** Who may write, since when, and whether it lives. */
function renderAttachments(attachments: readonly AttachmentResult[], now: number): string[] {
  if (attachments.length === 0) return []
  const age = (date: string): string => ageOf(now - Date.parse(date))
  const table = renderTable(attachments, [
    { title: 'ATTACHED AT', cell: attachment => attachment.host },
    { title: 'CLIENT', cell: attachment => attachment.client.slice(0, 8) },
    { title: 'MODE', cell: attachment => attachment.mode },
    { title: 'SINCE', cell: attachment => attachment.since },
    { title: 'AGE', align: 'right', cell: attachment => age(attachment.since) },
    {
      title: 'LAST SEEN',
      cell: ({ lastSeen, expired }) => {
        const seen = lastSeen === null ? 'not by this leader' : `${age(lastSeen)} ago`
        return expired ? `${seen}, expired` : seen
      },
    },
  ])
  return [table]
}

const AGES = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
] as const

/** In the largest unit of which there is a whole one. Clocks of two hosts differ. */
function ageOf(milliseconds: number): string {
  for (const [unit, name] of AGES) {
    if (milliseconds >= unit) return `${Math.floor(milliseconds / unit)} ${name}`
  }
  return `${Math.max(0, Math.floor(milliseconds / 1_000))} s`
}

export function renderEpochs(epochs: readonly EpochResult[]): string {
  return renderTable(epochs, [
    { title: 'EPOCH', align: 'right', cell: record => String(record.epoch) },
    { title: 'AT', cell: record => record.at },
    { title: 'CHANGE', cell: record => record.change },
  ])
}

export function renderEpoch(record: EpochResult): string {
  const votes = renderTable(record.votes, [
    { title: 'VOTER', cell: vote => vote.name },
    { title: 'ROLE', cell: vote => vote.role },
    { title: 'VOTE', cell: voteWord },
    { title: 'REASON', cell: vote => vote.reason },
  ])
  const head = [
    `epoch ${record.epoch}, ${record.at}`,
    record.change,
    `proposed by ${record.proposer}`,
  ].join('\n')
  return record.votes.length > 0 ? `${head}\n\n${votes}` : head
}

function voteWord({ approve, policy }: EpochResult['votes'][number]): string {
  if (approve) return 'approve'
  return policy ? 'refuse (overridden by --force)' : 'refuse'
}
