// While nothing is under way, every in-sync replica is asked for every block by itself: all must
// hold what was acknowledged (I5), so their answers are judged like those of any read.
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { HEAD } from '../../../src/net/messages.js'
import { wait } from '../../../src/base/clock.js'
import { splitRange, type Piece } from '../../../src/layout/geometry.js'
import type { VolumeRecord } from '../../../src/layout/configuration.js'
import { LOST } from '../../../src/net/peers.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK } from '../check/volume-model.js'
import type { Client, SimulatedCluster } from '../simulated-cluster.js'
import { noteRead, PLACE_BLOCKS, type Subject } from './workload.js'

const DEADLINE_MS = 2_000

export interface RollCall {
  readonly cluster: SimulatedCluster
  readonly client: Client
  readonly subject: Subject
  /** Virtual milliseconds in which every replica has to answer; 0 asks each one once. */
  readonly patience: number
}

/** What was wrong with the answers; a replica that does not serve in time is a finding too. */
export async function callRoll(call: RollCall): Promise<string[]> {
  const { cluster, subject } = call
  const volume = [...cluster.configuration.volumes.values()].find(v => v.name === subject.name)
  if (!volume) throw new Error('the volume is there')
  const found: string[] = []
  for (const place of subject.places) {
    const first = place * SECTORS_PER_BLOCK * SECTOR_BYTES
    const length = PLACE_BLOCKS * SECTORS_PER_BLOCK * SECTOR_BYTES
    const range = { offset: byteOffset(first), length: byteCount(length) }
    for (const piece of splitRange(range, volume.shards.length)) {
      for (const { server } of volume.shards[piece.shard]!.replicas) {
        found.push(...(await ask(call, { volume, piece, server })))
      }
    }
  }
  return found
}

interface Question {
  readonly volume: VolumeRecord
  readonly piece: Piece
  readonly server: VolumeRecord['shards'][number]['replicas'][number]['server']
}

function holds(cluster: SimulatedCluster, { volume, piece, server }: Question): boolean {
  const allocation = cluster.configuration.volumes.get(volume.id)?.shards[piece.shard]
  return allocation?.replicas.some(replica => replica.server === server) ?? false
}

async function ask(call: RollCall, question: Question): Promise<string[]> {
  const { volume, piece, server } = question
  const { cluster, client, subject, patience } = call
  const { shard, shardOffset, length } = piece
  const until = cluster.clock.now() + patience
  const sectors = { first: piece.offset / SECTOR_BYTES, count: length / SECTOR_BYTES }
  do {
    const { epoch } = cluster.configuration
    const place = { layer: HEAD, offset: shardOffset, length }
    const request = { volume: volume.id, shard, epoch, ...place }
    const name = cluster.nameOf(server)
    const seen = noteRead(subject, `roll call of ${name}`, sectors)
    const reply = await client.peers.request(server, 'read', request, { deadline: DEADLINE_MS })
    if (reply !== LOST && reply.status === 'ok') return seen(reply.payload)
    // Copies go on moving, for servers that are new.
    if (!holds(cluster, question)) return []
    if (patience > 0) await wait(cluster.clock, 50)
  } while (cluster.clock.now() < until)
  if (patience === 0) return []
  return [`I9: ${cluster.nameOf(server)} does not serve ${volume.name}/${shard} when all is well`]
}
