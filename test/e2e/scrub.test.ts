// A scrub on separate processes: bytes of shard files change under servers that run, and are found
// and repaired while the volume is read and written; a server that is stopped is named.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'tape'
import { EXIT_CODES } from '../../src/cli/exit-codes.js'
import type { ScrubResult } from '../../src/client/scrub/scrub-report.js'
import type { VolumeDetail } from '../../src/net/admin.js'
import { blockOffset } from '../../src/storage/store/layer-format.js'
import { SeededRandom } from '../simulator/seeded-random.js'
import { TestCluster } from './cluster.js'

const MiB = 1024 * 1024
const EXTENT = 4 * MiB
const SIZE = 96 * MiB
/** The rest is written to while scrubs run. */
const QUIET = SIZE / 2

interface Scrubbed {
  readonly code: number
  readonly stderr: string
  readonly result: ScrubResult
}

async function scrub(cluster: TestCluster, ...more: readonly string[]): Promise<Scrubbed> {
  const { code, stdout, stderr } = await cluster.run(['scrub', 'data', '--json', ...more])
  if (!stdout) throw new Error(`scrub: exit ${code}: ${stderr}`)
  return { code, stderr, result: JSON.parse(stdout) as ScrubResult }
}

/** Behind the back of the server that has it. */
function flipByte(path: string, offset: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, offset)
  writeSync(file, Buffer.from([byte[0]! ^ 0x10]), 0, 1, offset)
  closeSync(file)
}

/** Overwrites and reads the second half, until it is told to stop. */
class Load {
  #on = true
  readonly #ended: Promise<number>

  constructor(image: string) {
    this.#ended = this.#run(image)
  }

  /** The number of blocks that were not as written. */
  stop(): Promise<number> {
    this.#on = false
    return this.#ended
  }

  async #run(image: string): Promise<number> {
    const random = new SeededRandom(7)
    const file = await open(image, 'r+')
    let wrong = 0
    while (this.#on) {
      const block = Buffer.alloc(4096, random.below(256))
      const offset = QUIET + random.below((SIZE - QUIET) / 4096) * 4096
      await file.write(block, 0, 4096, offset)
      const found = Buffer.alloc(4096)
      await file.read(found, 0, 4096, offset)
      if (!found.equals(block)) wrong++
    }
    await file.close()
    return wrong
  }
}

async function firstHalf(image: string): Promise<Buffer> {
  const file = await open(image, 'r')
  const bytes = Buffer.alloc(QUIET)
  for (let at = 0; at < QUIET; at += MiB) await file.read(bytes, at, MiB, at)
  await file.close()
  return bytes
}

test('rot is found and repaired under load', { timeout: 400_000 }, async t => {
  const cluster = await TestCluster.start(t)
  await cluster.json(['volume', 'create', 'data', '--size', String(SIZE)])
  await cluster.startMount()
  const image = cluster.image('data')
  const written = new SeededRandom(3).bytes(QUIET)
  const file = await open(image, 'r+')
  for (let at = 0; at < QUIET; at += MiB) await file.write(written, at, MiB, at)
  await file.sync()
  await file.close()
  const { id, placement } = (await cluster.json(['volume', 'show', 'data'])) as VolumeDetail
  const copies = placement.reduce((sum, { replicas }) => sum + replicas.length, 0)
  const shardFile = (server: string, shard: number): string =>
    join(cluster.dataOf(server), 'storage', 'data', String(id), String(shard), 'layer-1')

  const load = new Load(image)
  const clean = await scrub(cluster)
  t.deepEqual([clean.code, clean.stderr], [0, ''], 'nothing is wrong, under load')
  t.equal(clean.result.replicas, copies, 'every copy was checked')
  t.ok(clean.result.bytes >= 3 * QUIET, 'all of it was read, three times')

  flipByte(shardFile('b', 0), blockOffset(5) + 100)
  flipByte(shardFile('c', 1), blockOffset(9) + 4000)
  const reported = await scrub(cluster, '--check')
  t.equal(reported.code, EXIT_CODES.corrupt, '--check repairs nothing')
  t.match(reported.stderr, /were not repaired: see "When a scrub finds something"/)
  const found = await scrub(cluster)
  t.equal(found.code, 0, `all is repaired: ${found.stderr}`)
  const brief = ({ rotten }: ScrubResult): readonly string[] =>
    rotten.map(one => `${one.server} ${one.shard}/${one.block} ${one.flaw} ${one.outcome}`)
  t.deepEqual(brief(reported.result), ['b 0/5 data reported', 'c 1/9 data reported'])
  t.deepEqual(brief(found.result), ['b 0/5 data repaired', 'c 1/9 data repaired'])
  t.deepEqual(
    found.result.rotten.map(({ offset }) => offset),
    [5 * 4096, EXTENT + 9 * 4096],
    'and where in the volume',
  )
  const again = await scrub(cluster)
  t.deepEqual([again.code, again.result.rotten, again.result.different], [0, [], []], 'for good')
  t.ok((await firstHalf(image)).equals(written), 'the image is as it was written')
  t.equal(await load.stop(), 0, 'and so was all that was written meanwhile')

  await cluster.kill('c', 'SIGTERM')
  const without = await scrub(cluster)
  t.equal(without.code, EXIT_CODES.incomplete, 'without one server not all is checked')
  t.deepEqual(
    without.result.unchecked.map(({ server, shards }) => [server, shards.length]),
    [['c', placement.length]],
    'which is named',
  )
  t.match(without.stderr, /^Not every copy of volume data was checked: /)
  const people = await cluster.run(['scrub', 'data'])
  t.match(people.stdout, /not checked on c, shards 0-/, 'people read the same')
  const brief2 = await cluster.run(['scrub', 'data', '--timeout', '1ms', '--json'])
  t.equal(brief2.code, EXIT_CODES.incomplete, '--timeout ends it with what it has')
  t.match(brief2.stdout, /the scrub ended before/)
})
