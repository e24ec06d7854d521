// Network namespaces: who is cut off from whom decides who goes on. A leader without the other
// managers commits nothing; one without clients and servers keeps none of them from working; a
// storage server whose lease is over serves no read, to whomever it can still talk.
import test, { type Test } from 'tape'
import { LEASE_MARGIN_MS, LEASE_MS } from '../../src/base/limits.js'
import { TestCluster } from './cluster.js'
import { agreed, countOf, newest } from './history.js'
import { BlockProbe, BlockReader, type BlockRead } from './image-load.js'
import { TestNetwork } from './test-network.js'
import { delay, eventually, mustRun, type Outcome } from './tools.js'

const MiB = 2 ** 20
const SERVERS = ['a', 'b', 'c'] as const
/** By then, every lease from before a cut is over, and its servers have been replaced. */
const LEASES_OVER_MS = 2 * (LEASE_MS + LEASE_MARGIN_MS)

function createAt(cluster: TestCluster, at: string, volume: string): Promise<Outcome> {
  const words = ['volume', 'create', volume, '--size', '64M', '--data', cluster.dataOf(at)]
  return cluster.run(words)
}

async function goesOn(probe: BlockProbe): Promise<void> {
  const before = probe.operations
  await eventually('I/O goes on', () => Promise.resolve(probe.operations > before + 20))
}

test('the leader is cut off', async t => {
  const network = await TestNetwork.create(t, ['m1', 'm2', 'm3', ...SERVERS, 'mount'])
  const cluster = await TestCluster.start(t, { managers: 3, servers: 3, hosts: network })
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  const place = { image: cluster.image('data'), offset: 0, size: 64 * MiB }
  const probe = new BlockProbe(cluster, place)
  await fromTheOtherManagers(t, { network, cluster, probe })
  await fromEverybodyElse(t, { network, cluster, probe })
  const { failure, operations, longestStallMs } = await probe.stop()
  t.equal(failure, null, `${operations} operations without an error`)
  t.comment(`the longest stall was ${longestStallMs} ms`)
})

interface Scene {
  readonly network: TestNetwork
  readonly cluster: TestCluster
  readonly probe: BlockProbe
}

async function fromTheOtherManagers(t: Test, scene: Scene): Promise<void> {
  const { network, cluster, probe } = scene
  const old = await cluster.leader()
  const others = cluster.managers.filter(name => name !== old)
  const [other = ''] = others
  await network.cut([old], others)
  await eventually('the others have a leader', async () => {
    return (await cluster.leader(other)) !== old
  })
  const before = newest(await cluster.epochs(old))
  const alone = createAt(cluster, old, 'alone')
  const made = await createAt(cluster, other, 'together')
  t.equal(made.code, 0, `the others go on ${made.stderr}`)
  const outcome = await alone
  t.notEqual(outcome.code, 0, 'a proposal at the old leader does not pass')
  t.equal(outcome.stderr.trim().split('\n').length, 1, `it says why: ${outcome.stderr.trim()}`)
  t.equal(newest(await cluster.epochs(old)), before, 'the old leader has committed nothing')
  t.ok(newest(await cluster.epochs(other)) > before, 'and the others have')
  await goesOn(probe)
  await network.heal()
  const epochs = await agreed(t, cluster)
  t.ok(
    epochs.some(record => /\btogether\b/.test(record.change)),
    'what passed is in it',
  )
  t.notOk(
    epochs.some(record => /\balone\b/.test(record.change)),
    'what did not is not',
  )
}

async function fromEverybodyElse(t: Test, scene: Scene): Promise<void> {
  const { network, cluster, probe } = scene
  const old = await cluster.leader()
  const other = cluster.managers.find(name => name !== old) ?? ''
  const before = countOf(await cluster.epochs(other), 'server-down')
  await network.cut([old], [...SERVERS, 'mount'])
  await delay(LEASES_OVER_MS)
  await goesOn(probe)
  const after = countOf(await cluster.epochs(other), 'server-down')
  t.equal(after, before, 'no server was declared down: their heartbeats are passed on')
  const outcome = await createAt(cluster, other, 'meanwhile')
  t.comment(`volume create: ${outcome.code} ${outcome.stderr.trim()}`)
  await network.heal()
  const again = await createAt(cluster, other, 'afterwards')
  t.equal(again.code, 0, `healed, all works ${again.stderr}`)
  await agreed(t, cluster)
}

test('a storage server that is cut off serves no read when its lease is over', async t => {
  const hosts = ['m1', ...SERVERS, 'mount', 'mount-2']
  const network = await TestNetwork.create(t, hosts)
  const cluster = await TestCluster.start(t, { servers: 3, hosts: network })
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  await cluster.startMount([], 'mount-2')
  const image = cluster.image('data')
  await writeBlock(image, 'x')
  const reader = new BlockReader(cluster, { image: cluster.image('data', 'mount-2'), offset: 0 })
  await eventually('it reads', () => Promise.resolve(reader.reads.length > 0))

  const others = ['m1', 'b', 'c']
  await network.cut(['a', 'mount-2'], others)
  await eventually('a is declared down', async () => {
    return countOf(await cluster.epochs('m1'), 'server-down') > 0
  })
  await writeBlock(image, 'y')
  const written = performance.now()
  await delay(LEASES_OVER_MS)
  t.equal(await readBlock(image), 'y', 'whoever reaches the others reads what is new')
  await writeBlock(image, 'z')
  t.equal(await readBlock(image), 'z', 'and writes on')
  t.deepEqual(
    reader.reads.filter(({ started }) => started > written),
    [],
    'whoever reaches only the one that is cut off reads nothing',
  )
  await network.heal()
  await eventually('it reads what is new', () => {
    return Promise.resolve(reader.reads.some(({ value }) => value === 'z'))
  })
  const old = ({ started, value }: BlockRead): boolean => started > written && value === 'x'
  t.deepEqual(reader.reads.filter(old), [], 'never the old content after the new was written')
  t.equal(await reader.stop(), null, 'and no read failed')
  await eventually('health is ok', async () => (await cluster.status('m1')).health === 'ok')
})

async function writeBlock(image: string, letter: string): Promise<void> {
  const flags = 'conv=notrunc,fsync oflag=direct iflag=fullblock status=none'
  const content = `yes ${letter} | tr -d '\\n' | head -c 4096`
  await mustRun('sh', ['-c', `${content} | dd of=${image} bs=4096 ${flags}`])
}

async function readBlock(image: string): Promise<string> {
  const words = [`if=${image}`, 'bs=4096', 'count=1', 'iflag=direct', 'status=none']
  return (await mustRun('dd', words)).charAt(0)
}
