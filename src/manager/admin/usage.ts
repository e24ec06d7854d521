// How much space a volume takes, and its snapshots, as its servers say when they are asked.
import type { PeerId } from '../../base/brands.js'
import { USAGE_DEADLINE_MS } from '../../base/limits.js'
import type { VolumeRecord } from '../../layout/configuration.js'
import type { SnapshotUsage, VolumeUsage } from '../../net/admin.js'
import type { UsageReply } from '../../net/manager-messages.js'
import { LOST, type Peers } from '../../net/peers.js'

export type UsagePeers = Pick<Peers, 'request'>

/** `name`: how people call a server. */
export async function askUsage(
  peers: UsagePeers,
  volume: VolumeRecord,
  name: (server: PeerId) => string,
): Promise<VolumeUsage> {
  const holders = new Set(
    volume.shards.flatMap(({ replicas }) => replicas.map(({ server }) => server)),
  )
  const silent: string[] = []
  const replies: UsageReply[] = []
  const ask = async (server: PeerId): Promise<void> => {
    const deadline = USAGE_DEADLINE_MS
    const reply = await peers.request(server, 'usage', { volume: volume.id }, { deadline })
    if (reply === LOST) silent.push(name(server))
    else replies.push(reply)
  }
  await Promise.all([...holders].map(ask))
  return { ...summed(volume, replies), silent: silent.sort() }
}

function summed(
  { snapshots }: VolumeRecord,
  replies: readonly UsageReply[],
): Omit<VolumeUsage, 'silent'> {
  const layers = replies.flatMap(reply => reply.layers)
  const sum = (layer: number, what: 'written' | 'alone'): number =>
    layers.filter(one => one.layer === layer).reduce((total, one) => total + one[what], 0)
  return {
    used: replies.reduce((total, reply) => total + reply.used, 0),
    snapshots: snapshots.map(({ name, at, layer }): SnapshotUsage => {
      return { name, at, written: sum(layer, 'written'), alone: sum(layer, 'alone') }
    }),
  }
}
