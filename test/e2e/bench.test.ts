// `swarmdisk bench` on separate processes: whatever it does and however it ends, the volume holds
// what it held and takes as much of the servers' disks; it has one writer at a time.
import { createHash } from 'node:crypto'
import { spawn, type ChildProcess } from 'node:child_process'
import {
  closeSync,
  createReadStream,
  ftruncateSync,
  openSync,
  readdirSync,
  statSync,
  writeSync,
} from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import { BENCH_CONTENT_BYTES } from '../../src/base/limits.js'
import type { BenchResult } from '../../src/cli/render/bench.js'
import type { VolumeDetail } from '../../src/net/admin.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { redirected } from './redirected.js'
import { eventually, within, type Outcome } from './tools.js'

const ENTRY = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const MiB = 2 ** 20
const SIZE = 96 * MiB
const BLOCK = 4096

/** Random megabytes in a row, and single random blocks with holes between them. */
function makeImage(path: string): void {
  const random = new SeededRandom(11)
  const file = openSync(path, 'w')
  for (let n = 0; n < 20; n++) writeSync(file, random.bytes(MiB), 0, MiB, (n + 10) * MiB)
  for (let n = 0; n < 500; n++) {
    writeSync(file, random.bytes(BLOCK), 0, BLOCK, 50 * MiB + n * 16 * BLOCK)
  }
  ftruncateSync(file, SIZE)
  closeSync(file)
}

interface Kept {
  readonly content: string
  /** What it takes of the servers' disks. */
  readonly usage: VolumeDetail['usage']
}

async function kept(cluster: TestCluster): Promise<Kept> {
  const image = join(cluster.folder, `export-${process.hrtime.bigint()}.img`)
  await cluster.json(['volume', 'export', 'data', '--output', image])
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(image)) hash.update(bytes as Uint8Array)
  return { content: hash.digest('hex'), usage: (await detail(cluster)).usage }
}

async function detail(cluster: TestCluster): Promise<VolumeDetail> {
  return (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
}

interface Running {
  readonly process: ChildProcess
  readonly ended: Promise<Outcome>
}

function start(cluster: TestCluster, words: readonly string[]): Running {
  const child = spawn(process.execPath, [ENTRY, ...words], {
    env: { ...process.env, ...cluster.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  cluster.undoLater(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<Outcome>(resolve =>
    child.once('close', code => resolve({ code: code ?? -1, stdout, stderr })),
  )
  return { process: child, ended }
}

/** When a server last wrote a block, by its files of blocks, which are large. */
function lastWritten(cluster: TestCluster): number {
  const folder = cluster.dataOf('a')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => statSync(join(folder, name)))
    .filter(stat => stat.isFile() && stat.size >= MiB)
  return Math.max(...files.map(({ mtimeMs }) => mtimeMs))
}

async function attached(cluster: TestCluster, count: number): Promise<void> {
  await eventually(`it is attached ${count} times`, async () => {
    return (await detail(cluster)).attachments.length === count
  })
}

const JOBS = [
  '4 KiB random read, depth 1',
  '4 KiB random read, depth 16',
  '4 KiB random write, depth 1',
  '4 KiB random write, depth 16',
  '4 KiB write + flush, depth 1',
  '1 MiB sequential read, depth 8',
  '1 MiB sequential write, depth 8',
]

/** What a result has to be whatever the machine. */
function checkResult(t: test.Test, { jobs, skipped, error }: BenchResult): void {
  t.deepEqual([skipped, error], [[], undefined], 'complete')
  for (const { name, blockSize, operations, iops, bytesPerSecond, ...job } of jobs) {
    const { p50, p99, max } = job.latency
    t.ok(operations > 0 && job.seconds >= 0.3 && job.onData, `${name}: ${operations} operations`)
    t.ok(Math.abs(iops * job.seconds - operations) < 0.01, 'so many a second')
    t.ok(Math.abs(bytesPerSecond - iops * blockSize) < 100, 'and so many bytes')
    t.ok(p50 > 0 && p50 <= p99 && p99 <= max && max <= job.seconds * 1.1, 'latencies')
  }
}

test('a benchmark leaves a volume as it was', { timeout: 600_000 }, async t => {
  const cluster = await TestCluster.start(t)
  const image = join(cluster.folder, 'known.img')
  makeImage(image)
  const made = await redirected(cluster, ['volume', 'import', 'data'], { from: image })
  t.equal(made.code, 0, `imported ${made.stderr}`)
  const before = await kept(cluster)

  const words = ['bench', 'data', '--seconds', '0.3']
  const all = (await cluster.json([...words, '--write'])) as BenchResult
  t.equal(all.volume, 'data')
  t.deepEqual(
    all.jobs.map(({ name }) => name),
    JOBS,
  )
  checkResult(t, all)
  t.deepEqual((await detail(cluster)).attachments, [], 'it is given back')
  t.deepEqual(await kept(cluster), before, 'the same content, as much space')

  const epochs = (await cluster.epochs('a')).length
  const reads = await cluster.run([...words, '--only', 'random', '--depth', '4'])
  t.equal(reads.code, 0, reads.stderr)
  t.match(reads.stdout, /^JOB .* PER SECOND .* MAX US\n4 KiB random read, depth 4 .*\d+\n$/)
  t.equal((await cluster.epochs('a')).length, epochs, 'who only reads changes no configuration')

  await interrupted(t, cluster)
  await killed(t, cluster)
  t.deepEqual(await kept(cluster), before, 'also after those that were ended')
  await oneWriter(t, cluster)
  t.deepEqual(await kept(cluster), before, 'still')
  await snapshots(t, cluster)
  await noServers(t, cluster)
})

/** Before it may be one that says what it waits for. */
function lastLine({ stderr }: Pick<Outcome, 'stderr'>): string {
  return stderr.trim().split('\n').at(-1) ?? ''
}

/** While it runs nobody else writes; a signal ends it with what it has, and gives it back. */
async function interrupted(t: test.Test, cluster: TestCluster): Promise<void> {
  const words = ['bench', 'data', '--write', '--seconds']
  const running = start(cluster, [...words, '600', '--only', 'random write', '--json'])
  await attached(cluster, 1)
  const second = await cluster.run([...words, '1'])
  t.deepEqual([second.code, second.stdout], [5, ''])
  t.match(lastLine(second), /^Volume "data" is attached at host .*: detach it there/)
  const reader = (await cluster.json(['bench', 'data', '--seconds', '0.3'])) as BenchResult
  t.equal(reader.jobs.length, 3, 'reading needs no attachment')
  running.process.kill('SIGINT')
  const { code, stdout, stderr } = await within('it ends', running.ended)
  t.equal(code, 13)
  t.equal(stderr, 'Interrupted: what was not measured yet is left out.\n')
  const { jobs, error } = JSON.parse(stdout) as BenchResult
  t.deepEqual([jobs.map(({ name }) => name), error?.code], [[JOBS[2]], 'aborted'])
  t.ok((jobs[0]?.operations ?? 0) > 0 && (jobs[0]?.seconds ?? 600) < 600, 'what it has by then')
  t.deepEqual((await detail(cluster)).attachments, [], 'it is given back')
}

async function killed(t: test.Test, cluster: TestCluster): Promise<void> {
  for (const only of ['4 KiB random write, depth 16', 'sequential write']) {
    const running = start(cluster, ['bench', 'data', '--write', '--seconds', '600', '--only', only])
    await attached(cluster, 1)
    const before = lastWritten(cluster)
    await eventually('it writes', () => Promise.resolve(lastWritten(cluster) > before))
    running.process.kill('SIGKILL')
    t.equal((await within('it is dead', running.ended)).stdout, '')
    const next = await cluster.run(['bench', 'data', '--write', '--seconds', '0.1', '--only', only])
    t.equal(next.code, 0, `the next one has it at once ${next.stderr}`)
  }
}

/** Mounts that write, alone or together, and a benchmark are in one another's way. */
async function oneWriter(t: test.Test, cluster: TestCluster): Promise<void> {
  for (const more of [[], ['--shared']]) {
    await cluster.startMount(more)
    const file = await open(cluster.image('data'), 'r+')
    cluster.stopFirst(() => file.close().catch(() => undefined))
    const { code, stdout, stderr } = await cluster.run(['bench', 'data', '--write'])
    t.deepEqual([code, stdout], [5, ''], `refused beside a mount ${more.join(' ')}`)
    t.match(lastLine({ stderr }), /^Volume "data" is attached at host /)
    const reads = await cluster.run(['bench', 'data', '--seconds', '0.1', '--only', 'depth 1$'])
    t.equal(reads.code, 0, 'but it reads')
    await file.close()
    await cluster.kill('mount', 'SIGTERM')
  }
}

/** A snapshot is read like a volume, and is what it was when its volume was written above it. */
async function snapshots(t: test.Test, cluster: TestCluster): Promise<void> {
  await cluster.json(['snapshot', 'create', 'data@s'])
  const result = (await cluster.json(['bench', 'data@s', '--seconds', '0.3'])) as BenchResult
  t.deepEqual([result.volume, result.jobs.length], ['data@s', 3])
  checkResult(t, result)
  const before = await kept(cluster)
  await cluster.json(['bench', 'data', '--seconds', '0.3', '--write'])
  t.equal((await kept(cluster)).content, before.content, 'the same above a snapshot')
  const diff = (await cluster.json(['snapshot', 'diff', 'data@s', 'data'])) as { bytes: number }
  const most = 2 * BENCH_CONTENT_BYTES
  t.ok(diff.bytes > 0 && diff.bytes <= most, `${diff.bytes} bytes in new blocks`)
  t.equal((await cluster.run(['bench', 'data@none'])).code, 6)
}

async function noServers(t: test.Test, cluster: TestCluster): Promise<void> {
  await cluster.json(['volume', 'create', 'empty', '--size', '8M'])
  const empty = await cluster.run(['bench', 'empty', '--seconds', '0.1', '--write'])
  t.equal(empty.code, 0, empty.stderr)
  t.match(empty.stdout, /random read, depth 16: read anywhere, since no 4 KiB of it are data/)
  t.match(empty.stdout, /sequential write, depth 8: left out, since no 1 MiB of it are data/)
  const nothing = await cluster.run(['bench', 'empty', '--only', 'write', '--write'])
  t.deepEqual([nothing.code, nothing.stdout], [2, ''])
  t.match(nothing.stderr, /^Nothing of empty was measured: .*\.\n$/)
  for (const server of cluster.servers) await cluster.kill(server)
  const held = await cluster.run(['bench', 'data', '--write', '--io-timeout', '9s'])
  t.deepEqual([held.code, held.stdout], [12, ''], held.stderr)
  const lines = held.stderr.trim().split('\n')
  t.match(lines[0] ?? '', /^I\/O is held, waiting for .*storage server/)
  t.match(lastLine(held), /was held for 9 s and given up \(--io-timeout\), waiting for /)
}
