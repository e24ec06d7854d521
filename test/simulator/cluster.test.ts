// Whole clusters in virtual time, on the production code of every role: what happens step by step.
// What chance does to them is in seeds.test.ts.
import test from 'tape'
import { byteOffset } from '../../src/base/brands.js'
import { wait } from '../../src/base/clock.js'
import { SwarmdiskError } from '../../src/base/errors.js'
import { BLOCK_BYTES, LEASE_MS, STORAGE_REPORT_INTERVAL_MS } from '../../src/base/limits.js'
import { differences } from './check/holdings.js'
import { content } from './run/workload.js'
import type { StatusResult } from '../../src/net/admin.js'
import { SimulatedCluster, type Client } from './simulated-cluster.js'

const MIB = 2 ** 20

/** A story that a cluster goes through. */
function scenario(
  title: string,
  seed: number,
  story: (t: test.Test, cluster: SimulatedCluster) => Promise<void>,
): void {
  test(title, async t => {
    const cluster = await SimulatedCluster.start({ seed, servers: 3 })
    await cluster.run(title, story(t, cluster), 600_000)
    t.deepEqual(cluster.findings, [], 'no rule of the protocol was broken')
  })
}

async function readBlock(client: Client, block: number): Promise<Uint8Array> {
  const into = new Uint8Array(BLOCK_BYTES)
  await client.driver.open('data')!.read(byteOffset(block * BLOCK_BYTES), into)
  return into
}

async function allLosePower(cluster: SimulatedCluster): Promise<void> {
  for (const name of cluster.serverNames) await cluster.endServer(name, 'power')
  for (const name of cluster.serverNames) await cluster.startServer(name)
  await cluster.until('all is in-sync again', () => cluster.healthy)
}

scenario('a client writes, reads and flushes through three replicas', 1, async (t, cluster) => {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  await volume.write(byteOffset(4096), content(7))
  await volume.flush()
  t.deepEqual(await readBlock(client, 1), content(7), 'what was written is read')
  t.deepEqual(await readBlock(client, 2), new Uint8Array(BLOCK_BYTES), 'the rest is zero')
  const odd = Uint8Array.from({ length: 700 }, (_, i) => i % 251)
  await volume.write(byteOffset(4096 + 3900), odd)
  const pair = new Uint8Array(2 * BLOCK_BYTES)
  await volume.read(byteOffset(4096), pair)
  const expected = new Uint8Array(2 * BLOCK_BYTES)
  expected.set(content(7))
  expected.set(odd, 3900)
  t.deepEqual(pair, expected, 'partial blocks are merged')
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

scenario('all lose their power after a flush: everything is there', 2, async (t, cluster) => {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  for (let block = 0; block < 40; block++) {
    await volume.write(byteOffset(block * 97 * BLOCK_BYTES), content(block + 1))
  }
  await volume.flush()
  // Acknowledged but not flushed: the client lives, so it must come back from its memory.
  await volume.write(byteOffset(0), content(4711))
  await allLosePower(cluster)
  for (let block = 0; block < 40; block++) {
    const expected = block === 0 ? 4711 : block + 1
    t.deepEqual(await readBlock(client, block * 97), content(expected), `block ${block}`)
  }
  await volume.flush()
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

scenario('what a dead client left is durable after the next FLUSH', 4, async (t, cluster) => {
  const first = await cluster.startClient()
  const volume = await cluster.createVolume(first, { name: 'data', size: 64 * MIB })
  for (let block = 0; block < 40; block++) {
    await volume.write(byteOffset(block * 97 * BLOCK_BYTES), content(block + 1))
  }
  first.die()
  const next = await cluster.startClient()
  t.deepEqual(await readBlock(next, 97), content(2), 'the next one reads it')
  await next.driver.open('data')!.attach({ takeover: true })
  await next.driver.open('data')!.flush()
  await allLosePower(cluster)
  let lost = 0
  for (let block = 0; block < 40; block++) {
    const found = await readBlock(next, block * 97)
    if (!Buffer.from(found).equals(content(block + 1))) lost++
  }
  t.equal(lost, 0, 'nothing is lost')
  await next.stop()
})

scenario('who is stopped, or said to be gone, is not waited for', 3, async (t, cluster) => {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  const offset = (block: number): ReturnType<typeof byteOffset> =>
    byteOffset(block * 1024 * BLOCK_BYTES)
  const writeAll = async (first: number): Promise<number> => {
    let longest = 0
    for (let block = 0; block < 16; block++) {
      const before = cluster.clock.now()
      await volume.write(offset(block), content(first + block))
      longest = Math.max(longest, cluster.clock.now() - before)
    }
    return longest
  }
  await writeAll(1)
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    const dies = i < 2
    await cluster.endServer(name, dies ? 'kill' : 'stop')
    const told = !dies || cluster.tellGone(name)
    const stall = await writeAll(100 * i + 100)
    t.ok(stall < LEASE_MS / 4, `without ${name} writes go on at once, after ${stall.toFixed(0)} ms`)
    t.ok(await told, 'they have heard of it')
    await cluster.startServer(name)
    await cluster.until('all is in-sync again', () => cluster.healthy)
  }
  for (let block = 0; block < 16; block++) {
    t.deepEqual(await readBlock(client, block * 1024), content(300 + block), `block ${block}`)
  }
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

scenario('one server is away: reads go on, writes wait, complete', 3, async (t, cluster) => {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  const offset = (block: number): ReturnType<typeof byteOffset> =>
    byteOffset(block * 1024 * BLOCK_BYTES)
  for (let block = 0; block < 16; block++) await volume.write(offset(block), content(block + 1))
  await cluster.endServer('b', 'kill')
  for (let block = 0; block < 16; block++) {
    t.deepEqual(await readBlock(client, block * 1024), content(block + 1), 'a read')
  }
  let done = false
  const write = volume.write(offset(3), content(99)).then(() => {
    done = true
  })
  await cluster.until('the write is held', () => client.driver.held() !== null)
  t.match(client.driver.held()?.reason ?? '', /\bb\b/, 'the reason names the server')
  t.notOk(done, 'the write waits')
  await cluster.startServer('b')
  await write
  t.equal(client.driver.held(), null, 'nothing is held any more')
  await cluster.until('all is in-sync again', () => cluster.healthy)
  t.deepEqual(await readBlock(client, 3 * 1024), content(99), 'it is there')
  await client.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

scenario('a sequential reader uses all servers, as status tells', 7, async (t, cluster) => {
  const client = await cluster.startClient()
  const volume = await cluster.createVolume(client, { name: 'data', size: 64 * MIB })
  const into = new Uint8Array(MIB)
  const ahead = 8
  for (let offset = 0; offset < 64 * MIB; offset += ahead * MIB) {
    const reads = Array.from({ length: ahead }, (_, i) =>
      volume.read(byteOffset(offset + i * MIB), into),
    )
    await Promise.all(reads)
  }
  await wait(cluster.clock, 2 * STORAGE_REPORT_INTERVAL_MS)
  const answer = await cluster.admin(client, { command: 'status' })
  if (!answer.ok) throw new Error(answer.message)
  const served = (answer.result as StatusResult).servers.map(server => server.served)
  const reads = served.map(server => server.reads)
  t.ok(Math.min(...reads) >= 16, `of 64 reads ${reads.join(', ')}`)
  t.equal(
    served.reduce((sum, { bytesRead }) => sum + bytesRead, 0),
    64 * MIB,
  )
  await client.stop()
})

async function failure(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'none'
  } catch (error) {
    return error instanceof SwarmdiskError ? error.code : String(error)
  }
}

scenario('a writer that was cut off is fenced, also when it comes back', 5, async (t, cluster) => {
  const a = await cluster.startClient()
  const volume = await cluster.createVolume(a, { name: 'data', size: 64 * MIB })
  const at = (block: number): ReturnType<typeof byteOffset> =>
    byteOffset(block * 1024 * BLOCK_BYTES)
  for (let block = 0; block < 8; block++) await volume.write(at(block), content(1))
  await volume.flush()
  const b = await cluster.startClient()
  t.equal(await failure(b.driver.open('data')!.attach()), 'in-use', 'a second writer is refused')
  // Some of what A asks for now is on its way while B takes over, some is held until A is back.
  const early = [0, 1, 2, 3].map(block => failure(volume.write(at(block), content(2))))
  const others = [...cluster.managerNames, ...cluster.serverNames].map(name => cluster.idOf(name))
  for (const other of [...others, b.id]) cluster.swarm.partition(a.id, other)
  const held = [4, 5, 6, 7].map(block => failure(volume.write(at(block), content(3))))
  const taken = b.driver.open('data')!
  await taken.attach({ takeover: true })
  const seen: Uint8Array[] = []
  for (let block = 0; block < 8; block++) seen.push(await readBlock(b, block * 1024))
  await taken.write(at(7), content(4))
  await wait(cluster.clock, 20_000)
  cluster.swarm.heal()
  for (const outcome of await Promise.all(held)) t.equal(outcome, 'fenced', 'what A was held in')
  for (const outcome of await Promise.all(early))
    t.ok(['none', 'fenced'].includes(outcome), outcome)
  t.equal(await failure(volume.write(at(0), content(5))), 'fenced', 'what A asks for now')
  t.equal(await failure(volume.flush()), 'fenced', 'A is told once what it lost')
  await wait(cluster.clock, 20_000)
  for (let block = 0; block < 8; block++) {
    const expected = block === 7 ? content(4) : seen[block]!
    t.deepEqual(await readBlock(b, block * 1024), expected, `block ${block} is what B saw or wrote`)
  }
  for (let block = 4; block < 7; block++) t.deepEqual(seen[block], content(1), 'nothing of A')
  await b.stop()
  await a.stop()
  t.deepEqual(await differences(cluster), [], 'replicas are equal')
})

scenario('several clients share a volume', 6, async (t, cluster) => {
  const a = await cluster.startClient({ shared: true })
  const volume = await cluster.createVolume(a, { name: 'data', size: 64 * MIB })
  await volume.write(byteOffset(0), content(1))
  const b = await cluster.startClient({ shared: true })
  const alone = await cluster.startClient()
  t.equal(await failure(alone.driver.open('data')!.attach()), 'in-use')
  await b.driver.open('data')!.write(byteOffset(0), content(2))
  t.deepEqual(await readBlock(a, 0), content(2), 'each sees what the other wrote')
  await volume.write(byteOffset(0), content(3))
  t.deepEqual(await readBlock(b, 0), content(3))
  await a.stop()
  await b.driver.open('data')!.write(byteOffset(0), content(4))
  await b.stop()
  await alone.driver.open('data')!.attach()
  t.deepEqual(await readBlock(alone, 0), content(4), 'when all have gone it is free')
})
