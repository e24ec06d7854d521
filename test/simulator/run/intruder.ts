// A client that was taken over from writes all the same, as any user of a volume does, and as none
// does: past its driver, which knows better, to the primary itself. Nobody may ever see it.
import { byteCount, byteOffset, requestNumber, type ByteOffset } from '../../../src/base/brands.js'
import { isSwarmdiskError } from '../../../src/base/errors.js'
import { BLOCK_BYTES } from '../../../src/base/limits.js'
import { splitRange } from '../../../src/layout/geometry.js'
import { LOST } from '../../../src/net/peers.js'
import { SECTOR_BYTES, SECTORS_PER_BLOCK } from '../check/volume-model.js'
import type { SeededRandom } from '../seeded-random.js'
import type { Client, SimulatedCluster } from '../simulated-cluster.js'
import { content, type Subject } from './workload.js'

const DEADLINE_MS = 2_000
/** Above those that the driver counts. */
const REQUEST = requestNumber(1_000_000)
const WROTE = 'I4: a client that had lost its access wrote'

export interface Intruder {
  readonly cluster: SimulatedCluster
  readonly client: Client
  readonly random: SeededRandom
}

/** What is wrong; the calls of its driver may end much later. */
export function* intrude(intruder: Intruder, subject: Subject): Generator<Promise<string[]>> {
  const { client, random } = intruder
  const block = random.pick(subject.places)
  const offset = byteOffset(block * SECTORS_PER_BLOCK * SECTOR_BYTES)
  yield throughDriver(client, subject, offset)
  yield pastDriver(intruder, subject, offset)
}

async function throughDriver(
  client: Client,
  { name, values }: Subject,
  offset: ByteOffset,
): Promise<string[]> {
  try {
    await client.driver.open(name)?.write(offset, content(values.next()))
    return [WROTE]
  } catch (error) {
    if (!isSwarmdiskError(error)) throw error
    return []
  }
}

async function pastDriver(
  { cluster, client }: Intruder,
  { name, values }: Subject,
  offset: ByteOffset,
): Promise<string[]> {
  const { epoch, volumes } = cluster.configuration
  const volume = [...volumes.values()].find(one => one.name === name)!
  const range = { offset, length: byteCount(BLOCK_BYTES) }
  const { shard, shardOffset } = splitRange(range, volume.shards.length)[0]!
  const primary = volume.shards[shard]!.replicas[0]!.server
  const write = {
    ...{ volume: volume.id, shard, epoch, offset: shardOffset },
    ...{ request: REQUEST, completeBelow: requestNumber(0), durable: false },
    payload: content(values.next()),
  }
  const reply = await client.peers.request(primary, 'write', write, { deadline: DEADLINE_MS })
  return reply !== LOST && reply.status === 'ok' ? [WROTE] : []
}
