// What one read request costs a client and a storage server besides the data: the client finds the
// shard and chooses a replica, the server judges by epoch, lease and access. Whatever the cluster
// has beside this volume must not be in it. Microseconds.
import { byteCount, byteOffset, shardIndex, volumeId, type PeerId } from '../../src/base/brands.js'
import { BLOCK_BYTES, EXTENT_BYTES } from '../../src/base/limits.js'
import type { Configuration } from '../../src/layout/configuration.js'
import { HEAD, type DataReply, type ReadRequest } from '../../src/net/messages.js'
import { CLIENT } from './cluster.js'
import { mountOf, serverOf, type Served } from './parts.js'

const READS = 20_000
const ROUNDS = 12
const VOLUME = volumeId(1)

type Round = () => Promise<void>
/** In the one cluster, and in the other. */
export type Times = readonly [number, number]

export interface IoPaths {
  readonly client: Times
  readonly server: Times
}

/** Rounds by turns, and the least of each: whatever else the machine does adds to it. */
export async function ioPaths(pair: readonly [Configuration, Configuration]): Promise<IoPaths> {
  const clients = pair.map(configuration => clientRound(configuration))
  const client = await leastOf(clients.map(({ round }) => round))
  for (const { end } of clients) end()
  let server: Times = [NaN, NaN]
  await serverOf(pair[0], primaryOf(pair[0]), async first => {
    await serverOf(pair[1], primaryOf(pair[1]), async second => {
      await served(first, pair[0])
      await served(second, pair[1])
      server = await leastOf([serverRound(first, pair[0]), serverRound(second, pair[1])])
    })
  })
  return { client, server }
}

function primaryOf({ volumes }: Configuration): PeerId {
  return volumes.get(VOLUME)!.shards[0]!.replicas[0]!.server
}

function clientRound(configuration: Configuration): {
  readonly round: Round
  readonly end: () => void
} {
  const driver = mountOf(configuration)
  const volume = driver.open(configuration.volumes.get(VOLUME)!.name)
  if (volume === null) throw new Error('the volume is there')
  const into = Buffer.alloc(BLOCK_BYTES)
  const extents = Math.floor(volume.size / EXTENT_BYTES)
  return {
    round: async () => {
      for (let i = 0; i < READS; i++) {
        await volume.read(byteOffset((i % extents) * EXTENT_BYTES), into)
      }
    },
    end: () => driver.abort(),
  }
}

function serverRound({ peers }: Served, configuration: Configuration): Round {
  const read = peers.handler('read')
  const client = peers.find(CLIENT)!
  const request = readOf(configuration)
  return async () => {
    for (let i = 0; i < READS; i++) {
      const reply = await new Promise<DataReply>(resolve => read(request, client, resolve))
      if (reply.status !== 'ok') throw new Error(`a read was answered with ${reply.status}`)
    }
  }
}

/** It has taken up the configuration, and has a lease. */
async function served({ peers }: Served, configuration: Configuration): Promise<void> {
  const read = peers.handler('read')
  const client = peers.find(CLIENT)!
  for (let tries = 0; tries < 600; tries++) {
    const reply = await new Promise<DataReply>(resolve =>
      read(readOf(configuration), client, resolve),
    )
    if (reply.status === 'ok') return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error('the storage server serves within a minute')
}

function readOf({ epoch }: Configuration): ReadRequest {
  const place = { offset: byteOffset(0), length: byteCount(BLOCK_BYTES) }
  return { volume: VOLUME, shard: shardIndex(0), epoch, layer: HEAD, ...place }
}

async function leastOf(rounds: readonly Round[]): Promise<Times> {
  const best = rounds.map(() => Infinity)
  for (let i = 0; i < ROUNDS; i++) {
    for (const [which, round] of rounds.entries()) {
      const began = performance.now()
      await round()
      best[which] = Math.min(best[which]!, performance.now() - began)
    }
  }
  const [first, second] = best.map(time => (time * 1000) / READS)
  return [first!, second!]
}
