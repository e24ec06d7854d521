// Who may write to a volume (design §7): clients attach and detach, one takes over from another.
// Whoever loses its access is fenced in the same step: every shard of the volume gets a new
// allocation, same replicas, so that what it asked for before is refused by the epoch rule
// (epoch-rule.ts), and what it asks for afterwards because it is not attached.
import type { Epoch, PeerId } from '../../base/brands.js'
import { ATTACHMENTS_MAX, HOST_LENGTH_MAX } from '../../base/limits.js'
import type { ChangeOf } from '../change.js'
import type { AccessMode, Attachment, Configuration, VolumeRecord } from '../configuration.js'
import { refuse, type Refusal } from '../outcome.js'
import { dateProblem } from './dates.js'

const HOST = /^[\x21-\x7e]+$/

/** A client that wants to write, and how. */
export interface AccessWish {
  readonly client: PeerId
  readonly mode: AccessMode
}

/** Whom this attachment would have to be taken from: all others, unless all share. */
export function inTheWayOf(
  { attachments }: Pick<VolumeRecord, 'attachments'>,
  { client, mode }: AccessWish,
): readonly Attachment[] {
  return attachments.filter(
    other => other.client !== client && (mode === 'exclusive' || other.mode === 'exclusive'),
  )
}

export function isAttached(
  volume: Pick<VolumeRecord, 'attachments'> | undefined,
  client: PeerId,
): boolean {
  return volume?.attachments.some(attachment => attachment.client === client) ?? false
}

export function volumeAttached(
  before: Configuration,
  change: ChangeOf<'volume-attached'>,
  epoch: Epoch,
): Configuration | Refusal {
  const { client, host, mode, since, takeover } = change
  const volume = before.volumes.get(change.volume)
  if (volume === undefined) return noSuchVolume(change)
  if (host.length > HOST_LENGTH_MAX || !HOST.test(host)) {
    return refuse('bad-name', `${JSON.stringify(host)} is no name of a host: use another one.`)
  }
  const problem = dateProblem('an attachment', since)
  if (problem !== null) return problem
  const { attachments } = volume
  if (attachments.some(own => own.client === client && own.mode === mode)) {
    return refuse('no-change', `This client is attached to volume "${volume.name}" already.`)
  }
  const inTheWay = inTheWayOf(volume, change)
  if (inTheWay.length > 0 && !takeover) {
    return refuse('in-use', inUseText(volume.name, inTheWay))
  }
  const stay = attachments.filter(other => other.client !== client && !inTheWay.includes(other))
  if (stay.length >= ATTACHMENTS_MAX) {
    return refuse('too-many', `Volume "${volume.name}" has ${ATTACHMENTS_MAX} clients already.`)
  }
  const next = { ...volume, attachments: [...stay, { client, host, mode, since }] }
  return withVolume(before, inTheWay.length > 0 ? fenced(next, epoch) : next, epoch)
}

export function volumeDetached(
  before: Configuration,
  change: ChangeOf<'volume-detached'>,
  epoch: Epoch,
): Configuration | Refusal {
  const volume = before.volumes.get(change.volume)
  if (volume === undefined) return noSuchVolume(change)
  if (!isAttached(volume, change.client)) {
    return refuse('no-change', `This client is not attached to volume "${volume.name}".`)
  }
  const attachments = volume.attachments.filter(({ client }) => client !== change.client)
  return withVolume(before, fenced({ ...volume, attachments }, epoch), epoch)
}

/** "at host a since 2026-01-01T00:00:00.000Z": for sentences about who has a volume. */
export function holdersText(attachments: readonly Attachment[]): string {
  const [first, ...others] = attachments
  if (first === undefined) return 'nowhere'
  const { host, since, mode, client } = first
  const shared = mode === 'shared' ? ', shared' : ''
  const more = others.length === 0 ? '' : ` and by ${others.length} more`
  return `at host ${host} (client ${client.slice(0, 8)}${shared}) since ${since}${more}`
}

export function inUseText(name: string, holders: readonly Attachment[]): string {
  return (
    `Volume "${name}" is attached ${holdersText(holders)}: detach it there, or attach with ` +
    '--takeover, which ends its access.'
  )
}

/** Requests that were made before are refused from now on, and what is in flight is settled. */
export function fenced(volume: VolumeRecord, epoch: Epoch): VolumeRecord {
  return { ...volume, shards: volume.shards.map(shard => ({ ...shard, epoch })) }
}

function withVolume(before: Configuration, volume: VolumeRecord, epoch: Epoch): Configuration {
  return { ...before, epoch, volumes: new Map(before.volumes).set(volume.id, volume) }
}

function noSuchVolume({ volume }: Pick<ChangeOf<'volume-attached'>, 'volume'>): Refusal {
  return refuse('no-such-volume', `There is no volume number ${volume}: it may be deleted.`)
}
