// What storage servers answer to a scrub, with a client whose questions are the test's.
import test from 'tape'
import { blockIndex, epoch, type PeerId } from '../../../src/base/brands.js'
import { SwarmdiskError } from '../../../src/base/errors.js'
import { SCRUB_AFTER_COPY_MS, SCRUB_UNREADABLE_MAX } from '../../../src/base/limits.js'
import { LOST } from '../../../src/net/peers.js'
import type {
  FoundFlaw,
  ScrubCompareReply,
  ScrubCompareRequest,
  ScrubReply,
  ScrubRequest,
} from '../../../src/net/scrub/messages.js'
import { decodeEntry } from '../../../src/storage/store/layer-format.js'
import {
  inSync,
  SERVER_A,
  SERVER_B,
  SERVER_C,
  SHARD,
  StorageCluster,
  syncing,
} from '../storage-cluster.js'

const PAGES = 64
const at = blockIndex

async function look(
  cluster: StorageCluster,
  server: PeerId,
  more: Partial<ScrubRequest> = {},
): Promise<ScrubReply> {
  const request: ScrubRequest = {
    ...{ ...SHARD, allocation: cluster.allocation.epoch, layer: 1 },
    ...{ page: 0, end: PAGES, first: 0, mode: 'check', ...more },
  }
  const reply = await cluster.done('a look', cluster.client.request(server, 'scrub', request))
  if (reply === LOST) throw new Error('it was lost')
  return reply
}

function compare(
  cluster: StorageCluster,
  more: Partial<ScrubCompareRequest> = {},
): Promise<ScrubCompareReply> {
  const request: ScrubCompareRequest = {
    ...{ ...SHARD, allocation: cluster.allocation.epoch, layer: 1 },
    ...{ block: at(0), blocks: 8, other: SERVER_B, ...more },
  }
  return cluster.client.request(SERVER_A, 'scrub-compare', request).then(reply => {
    if (reply === LOST) throw new Error('it was lost')
    return reply
  })
}

test('what no volume can have is refused, by whoever it is asked', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(5, 1)
  for (const block of [2 ** 34, 2 ** 45, 508]) {
    const compared = await cluster.done('it', compare(cluster, { block: at(block) }))
    t.equal(compared.status, 'refused', `compare ${block}`)
    const span = { block: at(block), blocks: 8 }
    const request = { ...SHARD, allocation: cluster.allocation.epoch, layer: 1, ...span }
    const { peers } = cluster.servers.get(SERVER_B)!
    const asking = peers.request(SERVER_A, 'blocks', request)
    const copied = await cluster.done('it', asking)
    t.equal(copied === LOST ? LOST : copied.status, 'refused', `blocks ${block}`)
  }
  t.equal((await look(cluster, SERVER_A)).status, 'ok', 'and the server lives')
})

test('a scrub goes on where the page was read up to, and gives way to copies', async t => {
  const cluster = await StorageCluster.start()
  for (const block of [5, 300]) await cluster.wrote(block, 1)
  const whole = await look(cluster, SERVER_B)
  t.deepEqual([whole.blocks, whole.upTo], [2, 512])
  const rest = await look(cluster, SERVER_B, { first: 64 })
  t.deepEqual([rest.blocks, rest.upTo], [1, 512])
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C)])
  await cluster.adopted()
  const span = { block: at(0), blocks: 8 }
  const request = { ...SHARD, allocation: cluster.allocation.epoch, layer: 1, ...span }
  const { peers } = cluster.servers.get(SERVER_C)!
  await cluster.done('a copy', peers.request(SERVER_B, 'blocks', request))
  t.equal((await look(cluster, SERVER_B)).status, 'busy', 'for one that catches up')
  await cluster.clock.advance(SCRUB_AFTER_COPY_MS)
  t.equal((await look(cluster, SERVER_B)).status, 'ok')
})

test('a disk that refuses blocks: they are told, as many as are worth it', async t => {
  const cluster = await StorageCluster.start()
  for (let block = 0; block < 12; block++) await cluster.wrote(block, block + 1)
  const shard = cluster.shard(SERVER_B)
  const readLayer = shard.readLayer.bind(shard)
  let bad = new Set([3, 7])
  shard.readLayer = (layer, block, into) => {
    const isBad = [...bad].some(one => one >= block && one < block + into.length / 4096)
    if (!isBad) return readLayer(layer, block, into)
    return Promise.reject(new SwarmdiskError('disk-error', 'a sector cannot be read'))
  }
  const few = await look(cluster, SERVER_B)
  t.deepEqual(
    few.flaws.map(one => [one.block, one.flaw]),
    [
      [3, 'unreadable'],
      [7, 'unreadable'],
    ],
  )
  t.equal(few.upTo, 512)
  bad = new Set(Array.from({ length: 12 }, (_, i) => i))
  const many = await look(cluster, SERVER_B)
  t.deepEqual([many.flaws.length, many.upTo], [SCRUB_UNREADABLE_MAX, SCRUB_UNREADABLE_MAX])
})

const flaw = (block: number, outcome: FoundFlaw['outcome']): FoundFlaw => ({
  ...{ block: at(block), flaw: 'data', outcome },
})

test('pages are found one after the other', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(5, 1)
  await cluster.wrote(3 * 512 + 7, 2)
  const first = await look(cluster, SERVER_B)
  t.deepEqual([first.status, first.found, first.page, first.blocks], ['ok', true, 0, 1])
  t.equal(decodeEntry(first.payload, 5)?.state, 'data')
  const second = await look(cluster, SERVER_B, { page: 1 })
  t.deepEqual([second.found, second.page, second.blocks], [true, 3, 1])
  const none = await look(cluster, SERVER_B, { page: 4 })
  t.deepEqual([none.status, none.found, none.page], ['ok', false, PAGES])
  const short = await look(cluster, SERVER_B, { page: 1, end: 3 })
  t.deepEqual([short.found, short.page], [false, 3], 'no further than asked')
})

test('who is not in-sync under this allocation refuses', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(5, 1)
  cluster.reallocate([inSync(SERVER_A), inSync(SERVER_B), syncing(SERVER_C)])
  await cluster.adopted()
  const { epoch: now } = cluster.allocation
  t.equal((await look(cluster, SERVER_C)).status, 'refused', 'a syncing one')
  const old = await look(cluster, SERVER_A, { allocation: epoch(now - 1) })
  t.deepEqual([old.status, old.allocation], ['refused', now], 'an older one, and it says which')
  t.equal((await look(cluster, SERVER_A, { layer: 7 })).status, 'refused', 'no such layer')
  const early = await look(cluster, SERVER_A, { allocation: epoch(now + 1) })
  t.equal(early.status, 'refused', 'one that never comes')
  const outsider = await cluster.done('it', compare(cluster, { other: SERVER_C }))
  t.equal(outsider.status, 'refused', 'and nobody is compared with a syncing one')
})

test('what is rotten is reported, or repaired from another replica', async t => {
  const cluster = await StorageCluster.start()
  for (let block = 0; block < 12; block++) await cluster.wrote(block, block + 1)
  cluster.shard(SERVER_B).spoil(3)
  cluster.shard(SERVER_B).spoil(7)
  const reported = await look(cluster, SERVER_B)
  t.deepEqual(reported.flaws, [flaw(3, 'reported'), flaw(7, 'reported')])
  t.deepEqual((await look(cluster, SERVER_B)).flaws.length, 2, 'nothing was changed')
  const repaired = await look(cluster, SERVER_B, { mode: 'repair' })
  t.deepEqual(repaired.flaws, [flaw(3, 'repaired'), flaw(7, 'repaired')])
  t.deepEqual((await look(cluster, SERVER_B)).flaws, [], 'they are good now')
  t.equal(cluster.shard(SERVER_B).peek(7).first, 8)
})

test('what is rotten everywhere has no good copy, and is left alone', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(3, 4)
  for (const server of [SERVER_A, SERVER_B, SERVER_C]) cluster.shard(server).spoil(3)
  const { flaws } = await look(cluster, SERVER_A, { mode: 'repair' })
  t.deepEqual(flaws, [flaw(3, 'no-copy')])
})

test('who might have a good copy cannot be asked: not now', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(3, 4)
  cluster.shard(SERVER_A).spoil(3)
  for (const other of [SERVER_B, SERVER_C]) cluster.swarm.partition(SERVER_A, other)
  const { flaws } = await look(cluster, SERVER_A, { mode: 'repair' })
  t.deepEqual(flaws, [flaw(3, 'not-now')])
})

test('replicas that differ are told apart, block by block', async t => {
  const cluster = await StorageCluster.start()
  for (let block = 0; block < 8; block++) await cluster.wrote(block, block + 1)
  const equal = await cluster.done('it', compare(cluster))
  t.deepEqual([equal.status, equal.different, equal.open], ['ok', [], []])
  cluster.shard(SERVER_B).putBlock(5, 99, cluster.allocation.epoch)
  const found = await cluster.done('it', compare(cluster))
  t.deepEqual(
    found.different.map(({ block }) => block),
    [5],
  )
  t.notEqual(found.different[0]?.own.checksum, found.different[0]?.other.checksum)
  t.deepEqual(found.open, [])
})

test('a block that is being written is not judged', async t => {
  const cluster = await StorageCluster.start()
  await cluster.wrote(0, 1)
  // The write reaches A, and cannot be committed.
  for (const other of [SERVER_B, SERVER_C]) cluster.swarm.partition(SERVER_A, other)
  void cluster.write(1, 2)
  await cluster.clock.until('A has it', () => cluster.shard(SERVER_A).peek(1).first === 2)
  const open = await cluster.done('it', compare(cluster))
  t.deepEqual([open.different, open.open.length], [[], 8], 'as long as it is open, nothing')
  cluster.swarm.heal()
  await cluster.clock.until('B has it', () => cluster.shard(SERVER_B).peek(1).first === 2)
  await cluster.clock.advance(5_000)
  const after = await cluster.done('it', compare(cluster))
  t.deepEqual([after.different, after.open], [[], []])
})

test('a write between the two looks is noted, and its block not judged', async t => {
  const cluster = await StorageCluster.start()
  for (let block = 0; block < 8; block++) await cluster.wrote(block, block + 1)
  const { peers } = cluster.servers.get(SERVER_A)!
  const request = peers.request.bind(peers)
  peers.request = async (...words: Parameters<typeof request>) => {
    // A has read its own index; now all three get a write, before B is asked.
    if (words[1] === 'blocks') await cluster.write(2, 77)
    return request(...words)
  }
  const { different, open } = await cluster.done('it', compare(cluster))
  t.deepEqual([different, open], [[], [2]])
})

test('writes all the time make no difference', async t => {
  const cluster = await StorageCluster.start()
  let on = true
  let [count, said] = [0, 0]
  const writer = async (): Promise<void> => {
    while (on) await cluster.write(count % 4, (count++ % 250) + 1)
  }
  const writing = writer()
  for (let i = 0; i < 40; i++) {
    const { status, different, open } = await cluster.done('it', compare(cluster))
    if (different.length > 0) t.fail(`attempt ${i}: ${JSON.stringify(different)}`)
    if (status === 'ok' && open.length < 8) said++
  }
  on = false
  await cluster.done('the writer', writing)
  t.ok(count > 40, `${count} writes`)
  t.ok(said > 0, `${said} answers said something of some blocks`)
})
