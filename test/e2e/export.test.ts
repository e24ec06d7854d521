// Exports on separate processes: two clusters, the snapshots of one imported in the other as they
// are made; what must be refused; an import that is broken off; raw images there and back.
import { createHash } from 'node:crypto'
import { spawn } from 'node:child_process'
import { createReadStream, readFileSync, statSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'tape'
import type { SnapshotListResult } from '../../src/net/admin.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'
import { redirected } from './redirected.js'
import { eventually, mustRun, within, type Outcome } from './tools.js'

const ENTRY = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const MiB = 1024 * 1024
const SIZE = 96 * MiB
const BLOCK = 4096
const SNAPSHOTS = Number(process.env['SWARMDISK_EXPORT_SNAPSHOTS'] ?? 5)
/** What an increment may have beside the blocks that have changed: header, end, records. */
const OVERHEAD = 0.05

/** Random blocks in random places, as the volume is mounted; the number of those with content. */
async function change(cluster: TestCluster, random: SeededRandom, round: number): Promise<number> {
  const blocks = new Set<number>()
  const file = await open(cluster.image('data'), 'r+')
  for (let i = 0; i < 150; i++) {
    const block = random.below(SIZE / BLOCK - 8)
    const count = 1 + random.below(8)
    for (let k = 0; k < count; k++) blocks.add(block + k)
    await file.write(random.bytes(count * BLOCK), 0, count * BLOCK, block * BLOCK)
  }
  // Whole blocks of zeroes over what may have content.
  if (round > 1) {
    const start = random.below(SIZE / MiB) * MiB
    await file.write(Buffer.alloc(MiB), 0, MiB, start)
    for (let block = start / BLOCK; block < (start + MiB) / BLOCK; block++) blocks.delete(block)
  }
  await file.sync()
  await file.close()
  return blocks.size
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of createReadStream(path)) hash.update(bytes as Uint8Array)
  return hash.digest('hex')
}

test('snapshots go from cluster to cluster', { timeout: 600_000 }, async t => {
  const here = await TestCluster.start(t)
  const there = await TestCluster.start(t)
  const random = new SeededRandom(42)
  await here.json(['volume', 'create', 'data', '--size', String(SIZE)])
  await here.startMount()
  const stream = (n: number): string => join(here.folder, `s${n}.swd`)
  const image = (n: number): string => join(here.folder, `s${n}.img`)
  for (let n = 1; n <= SNAPSHOTS; n++) {
    const changed = (await change(here, random, n)) * BLOCK
    await here.json(['snapshot', 'create', `data@s${n}`])
    const from = n === 1 ? [] : ['--from', `data@s${n - 1}`]
    const words = ['snapshot', 'export', ...from, `data@s${n}`, '--output', stream(n)]
    const made = (await here.json(words)) as { readonly bytes: number; readonly data: number }
    t.equal(made.bytes, statSync(stream(n)).size, `${n}: what it says it has written`)
    await sizesFollow(t, here, { n, changed, made })
    await here.json(['volume', 'export', `data@s${n}`, '--output', image(n)])
    t.equal(statSync(image(n)).size, SIZE, 'the image is as long as the volume')
    t.ok(statSync(image(n)).blocks * 512 < SIZE / 2, 'and has holes')
  }

  const early = await redirected(there, ['snapshot', 'import', 'copy'], { from: stream(2) })
  t.deepEqual([early.code, /import the full export first/.test(early.stderr)], [6, true])
  const imported = (n: number): Promise<Outcome> =>
    redirected(there, ['snapshot', 'import', 'copy'], { from: stream(n) })
  t.equal((await imported(1)).code, 0, 'the full one')
  await refusals(t, there, { first: stream(1), second: stream(2), third: stream(3) })
  for (let n = 2; n <= SNAPSHOTS; n++) {
    if (n === 3) await brokenOff(t, there, { first: stream(1), stream: stream(3) })
    const outcome = await imported(n)
    t.equal(outcome.code, 0, `${n}: imported ${outcome.stderr}`)
    t.equal((await imported(n)).code, 0, `${n}: once more changes nothing`)
  }
  const { snapshots } = (await there.json(['snapshot', 'list', 'copy'])) as SnapshotListResult
  t.deepEqual(
    snapshots.map(({ name }) => name),
    Array.from({ length: SNAPSHOTS }, (_, i) => `s${i + 1}`),
  )
  for (let n = 1; n <= SNAPSHOTS; n++) {
    const copy = join(there.folder, `s${n}.img`)
    const outcome = await redirected(there, ['volume', 'export', `copy@s${n}`], { to: copy })
    t.equal(outcome.code, 0, `exported by the standard output ${outcome.stderr}`)
    t.equal(await sha256(copy), await sha256(image(n)), `${n}: identical images`)
    t.ok(statSync(copy).blocks * 512 < SIZE / 2, 'with holes')
  }
  await backAndForth(t, there, image(SNAPSHOTS))
})

interface Made {
  readonly n: number
  /** Bytes of blocks that were written, and not as zeroes. */
  readonly changed: number
  readonly made: { readonly bytes: number; readonly data: number }
}

async function sizesFollow(
  t: test.Test,
  here: TestCluster,
  { n, changed, made }: Made,
): Promise<void> {
  t.equal(made.data, changed, `${n}: what was written, and nothing else`)
  const more = made.bytes / changed - 1
  t.ok(more > 0 && more <= OVERHEAD, `${made.bytes} bytes, ${(more * 100).toFixed(2)} % more`)
  if (n === 1) return
  const diff = (await here.json(['snapshot', 'diff', `data@s${n - 1}`, `data@s${n}`])) as {
    readonly ranges: readonly { readonly offset: number; readonly length: number }[]
    readonly bytes: number
  }
  t.ok(diff.ranges.length > 50 && diff.ranges.every(({ length }) => length % BLOCK === 0), 'a diff')
  t.equal(diff.bytes, changed + MiB, 'with the zeroes')
}

async function refusals(
  t: test.Test,
  there: TestCluster,
  { first, second, third }: Readonly<Record<'first' | 'second' | 'third', string>>,
): Promise<void> {
  const into = (volume: string, from: string): Promise<Outcome> =>
    redirected(there, ['snapshot', 'import', volume], { from })
  const order = await into('copy', third)
  t.deepEqual([order.code, /in the order/.test(order.stderr)], [7, true], order.stderr)
  await there.startMount()
  const copy = await open(there.image('copy'), 'r+')
  await copy.write(Buffer.alloc(BLOCK, 7), 0, BLOCK, 0)
  await copy.sync()
  const attached = await into('copy', second)
  t.deepEqual([attached.code, /attached/.test(attached.stderr)], [5, true], attached.stderr)
  await copy.close()
  await there.kill('mount', 'SIGTERM')
  const written = await into('copy', second)
  t.deepEqual(
    [written.code, /was written to since/.test(written.stderr)],
    [7, true],
    written.stderr,
  )
  await there.json(['snapshot', 'rollback', 'copy@s1', '--yes'])
  const again = await redirected(there, ['snapshot', 'import', 'copy', '--name', 'x'], {
    from: first,
  })
  t.equal(again.code, 0, 'by another name it is there already, too')
  const damaged = join(there.folder, 'damaged.swd')
  const bytes = readFileSync(first)
  bytes[bytes.length >> 1]! ^= 1
  writeFileSync(damaged, bytes)
  const bad = await into('other', damaged)
  t.deepEqual([bad.code, /damaged/.test(bad.stderr)], [14, true], bad.stderr)
  writeFileSync(damaged, bytes.subarray(0, 100_000))
  const cut = await into('third', damaged)
  t.deepEqual([cut.code, /cut off/.test(cut.stderr)], [14, true], cut.stderr)
  const { snapshots } = (await there.json(['snapshot', 'list', 'other'])) as SnapshotListResult
  t.deepEqual(
    snapshots.map(({ name }) => name),
    ['importing'],
    'no snapshot of what is damaged',
  )
  t.equal((await into('other', first)).code, 0, 'from the beginning, and whole, it ends well')
  const text = await into('fourth', ENTRY)
  t.deepEqual([text.code, /no exported snapshot/.test(text.stderr)], [2, true], text.stderr)
}

/** The client dies in the middle of the stream; the next run has to wait for nothing. */
async function brokenOff(
  t: test.Test,
  there: TestCluster,
  { first, stream }: { readonly first: string; readonly stream: string },
): Promise<void> {
  const child = spawn(process.execPath, [ENTRY, 'snapshot', 'import', 'copy'], {
    env: { ...process.env, ...there.environment },
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()))
  const bytes = readFileSync(stream)
  child.stdin?.on('error', () => undefined).write(bytes.subarray(0, bytes.length >> 1))
  const marked = async (): Promise<boolean> => {
    const { snapshots } = (await there.json(['snapshot', 'list', 'copy'])) as SnapshotListResult
    return snapshots.some(({ name }) => name === 'importing')
  }
  await eventually('the import has begun', marked)
  t.equal(child.exitCode, null, 'it waits for the rest of the stream')
  child.kill('SIGKILL')
  await within('it is dead', ended)
  const other = await redirected(there, ['snapshot', 'import', 'copy'], { from: first })
  t.equal(other.code, 0, 'what was imported before is still there')
  t.ok(await marked(), 'broken off')
}

async function backAndForth(t: test.Test, there: TestCluster, image: string): Promise<void> {
  const made = await redirected(there, ['volume', 'import', 'raw'], { from: image })
  t.equal(made.code, 0, `a volume of an image ${made.stderr}`)
  const back = join(there.folder, 'raw.img')
  await there.json(['volume', 'export', 'raw', '--output', back])
  t.equal(await sha256(back), await sha256(image), 'identical')
  const twice = await redirected(there, ['volume', 'import', 'raw'], { from: image })
  t.notEqual(twice.code, 0, 'a volume is made once')
  const over = await there.run(['volume', 'export', 'raw', '--output', back])
  t.deepEqual([over.code, /exists already/.test(over.stderr)], [2, true], over.stderr)
  const shell = `${process.execPath} ${ENTRY} volume export raw | head -c 100 | wc -c`
  const { PATH = '' } = process.env
  const words = Object.entries(there.environment).map(([name, value]) => `${name}=${value}`)
  const count = await mustRun('env', [`PATH=${PATH}`, ...words, 'sh', '-c', shell])
  t.equal(count.trim(), '100', 'whoever reads may stop')
}
