// All in-sync copies of a volume are lost for good while another server was behind: I/O is held
// until an operator says what is given up, then it goes on; and a server that stands still under
// reads is not felt for a second.
import test from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { StatusResult, VolumeDetail } from '../../src/net/admin.js'
import { differingBlocks } from '../helpers/compare-replicas.js'
import { TestCluster } from './cluster.js'
import { countOf } from './history.js'
import { eventually, mustRun, runTool, type Outcome } from './tools.js'

/** The first block of every extent; the first extents are in shards of the same number. */
const EXTENT_BLOCKS = 1024

async function write(cluster: TestCluster, shard: number, letter: string): Promise<void> {
  const to = [`of=${cluster.image('data')}`, 'bs=4k', `seek=${shard * EXTENT_BLOCKS}`]
  const how = 'count=1 oflag=direct conv=notrunc,fsync status=none'
  const bytes = `head -c 4096 /dev/zero | tr '\\0' ${letter}`
  await mustRun('sh', ['-c', `${bytes} | dd ${to.join(' ')} ${how} iflag=fullblock`])
}

function read(cluster: TestCluster, shard: number): Promise<Outcome> {
  const from = [`if=${cluster.image('data')}`, 'bs=4k', `skip=${shard * EXTENT_BLOCKS}`]
  return runTool('dd', [...from, 'count=1', 'iflag=direct', 'status=none'])
}

const letterOf = ({ stdout }: Outcome): string =>
  stdout === stdout.charAt(0).repeat(4096) ? stdout.charAt(0) : 'mixed'

const promote = (shard: number, ...more: readonly string[]): readonly string[] => {
  return ['shard', 'promote', 'data', String(shard), '--server', 'c', ...more]
}

async function downIn(cluster: TestCluster, ...names: readonly string[]): Promise<boolean> {
  const { epochs } = (await cluster.json(['epoch', 'list', '--limit', '100'])) as {
    readonly epochs: readonly { readonly kind: string; readonly change: string }[]
  }
  return names.every(name =>
    epochs.some(
      ({ kind, change }) => kind === 'server-down' && change.includes(` ${name} is down`),
    ),
  )
}

test('two of three copies are lost for good, and the third was behind', async t => {
  const cluster = await TestCluster.start(t, { servers: 3 })
  const words = ['--size', '64M', '--replicas', '3', '--min-in-sync', '1']
  await cluster.json(['volume', 'create', 'data', ...words])
  const volume = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  const shards = volume.shards.total
  await cluster.startMount()
  for (let shard = 0; shard < shards; shard++) await write(cluster, shard, 'x')
  await cluster.kill('c')
  await eventually('c is declared down', () => downIn(cluster, 'c'))
  for (let shard = 0; shard < shards; shard++) await write(cluster, shard, 'y')
  await Promise.all(['a', 'b'].map(name => cluster.kill(name)))
  await cluster.startServer('c')
  const held = read(cluster, 0)
  const without = await cluster.run(promote(0))
  t.equal(without.code, EXIT_CODES['bad-input'], 'not without the flag')
  t.match(without.stderr, /lost for good: say --accept-data-loss/)
  await eventually('a and b are declared down', () => downIn(cluster, 'a', 'b'))
  await eventually('status says what is missed', async () => {
    const { health, problems } = (await cluster.json(['status'])) as StatusResult
    return health === 'unavailable' && problems.some(line => /may hold the newest/.test(line))
  })
  const answers: Outcome[] = []
  for (let shard = 0; shard < shards; shard++) {
    // Without a terminal nobody is asked.
    await eventually(`shard ${shard} is promoted`, async () => {
      const outcome = await cluster.run(promote(shard, '--accept-data-loss', '--json'))
      answers.push(outcome)
      return outcome.code === 0
    })
  }
  const refusals = answers.filter(({ code }) => code !== 0)
  t.ok(
    refusals.every(({ code }) => code === EXIT_CODES.refused),
    'nothing but refusals before',
  )
  t.equal(letterOf(await held), 'x', 'the read that was held goes on')
  for (let shard = 0; shard < shards; shard += 2) await write(cluster, shard, 'z')
  t.equal(countOf(await cluster.epochs('m1'), 'shard-promoted'), shards)

  await Promise.all(['a', 'b'].map(name => cluster.startServer(name)))
  await eventually('all copies are in-sync', async () => (await cluster.status()).health === 'ok')
  for (let shard = 0; shard < shards; shard++) {
    t.equal(letterOf(await read(cluster, shard)), shard % 2 === 0 ? 'z' : 'x', `shard ${shard}`)
  }
  await cluster.json(['unmount', cluster.mountPoint])
  await cluster.stopAll()
  t.deepEqual(await differingBlocks(cluster, cluster.servers), [], 'all copies are equal')
})

test('a storage server stands still under reads', async t => {
  const cluster = await TestCluster.start(t, { servers: 3 })
  await cluster.json(['volume', 'create', 'data', '--size', '64M', '--replicas', '3'])
  await cluster.startMount()
  const fio = runTool('fio', [
    ...['--name=reads', '--rw=randread', '--bs=4k', '--ioengine=libaio', '--iodepth=4'],
    ...['--direct=1', '--time_based', '--runtime=8', `--filename=${cluster.image('data')}`],
    ...['--size=64M', '--output-format=json'],
  ])
  const served = async (): Promise<readonly number[]> =>
    (await cluster.status()).servers.map(server => server.served.reads)
  await eventually('all serve reads', async () => (await served()).every(reads => reads > 50))
  const pid = cluster.pid('b')
  process.kill(pid, 'SIGSTOP')
  const wake = (): boolean => cluster.isRunning('b') && process.kill(pid, 'SIGCONT')
  cluster.stopFirst(wake)
  const before = await served()
  await eventually('the others serve on', async () => {
    const now = await served()
    return now[0]! > before[0]! + 100 && now[2]! > before[2]! + 100
  })
  const { code, stdout } = await fio
  wake()
  t.equal(code, 0)
  const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as {
    readonly jobs: readonly { readonly read: { readonly clat_ns: { readonly max: number } } }[]
  }
  const longest = jobs[0]!.read.clat_ns.max / 1e6
  t.ok(longest < 1_000, `the longest read took ${longest.toFixed(0)} ms`)
})
