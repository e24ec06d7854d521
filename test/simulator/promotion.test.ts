// Whole clusters in virtual time that lose all in-sync copies of a volume for good, while the third
// server was behind: I/O is held, an operator gives up what is lost, and I/O goes on; whoever was
// in-sync is overwritten if it comes back after all.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { BLOCK_BYTES } from '../../src/base/limits.js'
import type { OpenVolume } from '../../src/client/volume-driver.js'
import type { AdminResult, EpochResult } from '../../src/net/admin.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'

const MIB = 2 ** 20
const BLOCKS = 16
/** One block in each extent: every shard has two. */
const at = (block: number): ReturnType<typeof byteOffset> => byteOffset(block * 1024 * BLOCK_BYTES)

/** OLD is on all servers, NEW was flushed while c was away, LATE was acknowledged after that. */
const OLD = 1_000
const NEW = 2_000
const LATE = 3_000
const AFTER = 4_000
const ZEROES = 0

async function blockOf(volume: OpenVolume, block: number): Promise<number> {
  const into = new Uint8Array(BLOCK_BYTES)
  await volume.read(at(block), into)
  if (into.every(byte => byte === 0)) return ZEROES
  const known = [OLD, NEW, LATE, AFTER].find(base =>
    Buffer.from(into).equals(content(base + block)),
  )
  return known ?? -1
}

interface Stage {
  readonly cluster: SimulatedCluster
  readonly client: Client
  readonly volume: OpenVolume
}

/** c has missed what a and b have, and is back; `lose` takes a and b away. */
async function prepare(
  cluster: SimulatedCluster,
  lose: (client: Client) => Promise<void>,
): Promise<Stage> {
  const client = await cluster.startClient()
  const wish = { name: 'data', size: 64 * MIB, minInSync: 1 }
  const volume = await cluster.createVolume(client, wish)
  for (let block = 0; block < 14; block++) await volume.write(at(block), content(OLD + block))
  await volume.flush()
  await cluster.endServer('c', 'kill')
  await cluster.until('c is left behind', () =>
    cluster.shards().every(({ replicas }) => replicas.length === 2),
  )
  for (let block = 0; block < 12; block++) await volume.write(at(block), content(NEW + block))
  await volume.write(at(15), content(NEW + 15))
  await volume.flush()
  for (let block = 8; block < 12; block++) await volume.write(at(block), content(LATE + block))
  await lose(client)
  await cluster.startServer('c')
  await cluster.until('c is registered', () => recorded(cluster, 'c') === 'up')
  return { cluster, client, volume }
}

function recorded(cluster: SimulatedCluster, name: string): string | undefined {
  return cluster.configuration.servers.get(cluster.idOf(name))?.state
}

async function promote({ cluster, client }: Stage, shard: number): Promise<AdminResult> {
  return cluster.admin(client, {
    ...{ command: 'shard-promote', volume: 'data', shard, server: 'c' },
    acceptDataLoss: true,
  })
}

/** Refused until a and b are recorded as down; then every shard goes on from c. */
async function promoteAll(t: test.Test, stage: Stage): Promise<void> {
  const { cluster, client, volume } = stage
  const early = await promote(stage, 0)
  t.match(early.ok ? '' : early.message, /has an in-sync copy of .* is not down/, 'not yet')
  const held = blockOf(volume, 0)
  await cluster.until('reads are held, and say for whom', () =>
    /storage servers [ab], [ab]/.test(client.driver.held()?.reason ?? ''),
  )
  await cluster.until('a and b are down', () =>
    ['a', 'b'].every(name => recorded(cluster, name) === 'down'),
  )
  for (const [shard] of cluster.shards().entries()) {
    let answer = await promote(stage, shard)
    // c may have registered and not taken up the configuration yet, or links to a be half dead.
    for (let i = 0; !answer.ok && i < 20; i++) {
      await wait(cluster.clock, 500)
      answer = await promote(stage, shard)
    }
    t.ok(answer.ok, `shard ${shard}: ${answer.ok ? 'promoted' : answer.message}`)
  }
  t.equal(await held, OLD, 'what was held goes on')
}

async function judgeContent(t: test.Test, { cluster, volume }: Stage): Promise<void> {
  const found: number[] = []
  for (let block = 0; block < BLOCKS; block++) found.push(await blockOf(volume, block))
  const repeated = [LATE, LATE, LATE, LATE]
  const expected = [...Array<number>(8).fill(OLD), ...repeated, OLD, OLD, ZEROES, ZEROES]
  t.deepEqual(found, expected, 'flushed writes are lost, the client repeats the others')
  await volume.write(at(0), content(AFTER))
  await volume.flush()
  t.ok(cluster.shards().every(({ generation }) => generation === 1))
}

async function judgeReturn(t: test.Test, stage: Stage): Promise<void> {
  const { cluster, client, volume } = stage
  // Read all the time while they come back: nothing of what they had is ever seen.
  let wrong = 0
  let reads = 0
  while (!cluster.healthy) {
    for (let block = 0; block < BLOCKS; block++) {
      if ((await blockOf(volume, block)) === NEW) wrong++
      reads++
    }
    await wait(cluster.clock, 5)
  }
  t.equal(wrong, 0, `nothing that was given up is seen in ${reads} reads`)
  t.equal(await blockOf(volume, 0), AFTER)
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
}

async function judgeHistory(t: test.Test, { cluster, client }: Stage): Promise<void> {
  const answer = await cluster.admin(client, { command: 'epoch-list', from: null, limit: 100 })
  const { epochs } = (answer.ok ? answer.result : {}) as { readonly epochs: readonly EpochResult[] }
  const promoted = epochs.filter(({ kind }) => kind === 'shard-promoted')
  t.equal(promoted.length, cluster.shards().length)
  const [first] = promoted
  t.match(first!.change, /shard 0 of volume data goes on from the copy of storage server c/)
  t.match(first!.change, /in-sync were (a, b|b, a)/)
  t.match(first!.proposer, /^operator at client /)
  t.deepEqual(first!.votes.map(({ name, approve }) => [name, approve]).slice(0, 1), [['c', true]])
}

test('two of three replicas are destroyed while the third was behind', async t => {
  const cluster = await SimulatedCluster.start({ seed: 21, servers: 3, managers: 3 })
  const story = async (): Promise<void> => {
    const stage = await prepare(cluster, async () => {
      for (const name of ['a', 'b']) await cluster.endServer(name, 'silent power')
    })
    await promoteAll(t, stage)
    await judgeContent(t, stage)
    await judgeHistory(t, stage)
    for (const name of ['a', 'b']) await cluster.startServer(name)
    await judgeReturn(t, stage)
  }
  await cluster.run('promotion', story(), 600_000)
  t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
})

test('they were only cut off, and come back with all they had in memory', async t => {
  const cluster = await SimulatedCluster.start({ seed: 22, servers: 3 })
  const story = async (): Promise<void> => {
    const stage = await prepare(cluster, client => {
      const others = [...cluster.managerNames, 'c'].map(name => cluster.idOf(name))
      for (const name of ['a', 'b']) {
        for (const other of [...others, client.id]) {
          cluster.swarm.partition(cluster.idOf(name), other)
        }
      }
      return Promise.resolve()
    })
    await promoteAll(t, stage)
    await judgeContent(t, stage)
    cluster.swarm.heal()
    await judgeReturn(t, stage)
  }
  await cluster.run('promotion', story(), 600_000)
  t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
})

test('a server that has an in-sync copy is there again: nothing is given up', async t => {
  const cluster = await SimulatedCluster.start({ seed: 23, servers: 3 })
  const story = async (): Promise<void> => {
    const stage = await prepare(cluster, async () => {
      for (const name of ['a', 'b']) await cluster.endServer(name, 'kill')
    })
    await cluster.until('a and b are down', () =>
      ['a', 'b'].every(name => recorded(cluster, name) === 'down'),
    )
    await cluster.startServer('b')
    // As soon as the managers see it, whether or not it has registered.
    await cluster.until('b is seen', () => stage.client.peers.find(cluster.idOf('b')) !== undefined)
    const answers: AdminResult[] = []
    for (const [shard] of cluster.shards().entries()) answers.push(await promote(stage, shard))
    t.ok(
      answers.every(({ ok }) => !ok),
      'refused',
    )
    await cluster.startServer('a')
    await cluster.until('all is in-sync again', () => cluster.healthy)
    for (let block = 0; block < 8; block++) {
      t.equal(await blockOf(stage.volume, block), NEW, 'nothing is lost')
    }
    await stage.client.stop()
    t.deepEqual(await differences(cluster), [], 'replicas are equal')
  }
  await cluster.run('no promotion', story(), 600_000)
  t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
})
