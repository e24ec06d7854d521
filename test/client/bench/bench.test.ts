import test from 'tape'
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { wait } from '../../../src/base/clock.js'
import { isSwarmdiskError, SwarmdiskError } from '../../../src/base/errors.js'
import { Interruption } from '../../../src/base/interruption.js'
import { BENCH_CONTENT_BYTES, BENCH_TELL_MS } from '../../../src/base/limits.js'
import { Bench, type BenchReport } from '../../../src/client/bench/bench.js'
import { benchJobs } from '../../../src/client/bench/jobs.js'
import type { BenchProgress } from '../../../src/client/bench/reporter.js'
import type { BenchSubject } from '../../../src/client/bench/subject.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import type { ByteRange } from '../../../src/layout/geometry.js'
import { MemoryDriver } from '../../helpers/memory-driver.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const MiB = 2 ** 20
const SIZE = 64 * MiB
const BLOCK = 4096
const MS = 200
const ALL = benchJobs({ depth: null, blockSize: null })
const READS = ALL.filter(({ kind }) => kind === 'read')

interface Span {
  readonly offset: number
  readonly length: number
}

/** A volume in memory, of which every request takes a time, and is noted. */
class Stage {
  readonly clock = new VirtualClock()
  readonly interruption = new Interruption()
  readonly driver = new MemoryDriver({ data: SIZE })
  readonly told: BenchProgress[] = []
  readonly reads: Span[] = []
  readonly writes: Span[] = []
  readonly #volume: OpenVolume
  readonly #data: readonly Span[]
  /** Zeroes or not, these are said to be data. */
  constructor(data: readonly Span[]) {
    this.#volume = this.driver.open('data')!
    this.#data = data
  }

  async fill(spans: readonly Span[]): Promise<void> {
    const random = new SeededRandom(7)
    for (const { offset, length } of spans) {
      for (let at = 0; at < length; at += MiB) {
        const content = new Uint8Array(Math.min(MiB, length - at)).fill(1 + random.below(255))
        await this.#volume.write(byteOffset(offset + at), content)
      }
    }
  }

  async content(): Promise<Uint8Array> {
    const content = new Uint8Array(SIZE)
    await this.#volume.read(byteOffset(0), content)
    return content
  }

  subject(): BenchSubject {
    const volume: BenchSubject['volume'] = {
      attach: () => this.#volume.attach(),
      read: async (offset, into) => {
        this.reads.push({ offset, length: into.length })
        await wait(this.clock, 1)
        await this.#volume.read(offset, into)
      },
      write: async (offset, data) => {
        this.writes.push({ offset, length: data.length })
        await wait(this.clock, 2)
        await this.#volume.write(offset, data)
      },
      flush: async () => {
        await wait(this.clock, 5)
        await this.#volume.flush()
      },
    }
    const data = this.#data
    const ranges = async function* ({ offset, length }: ByteRange): AsyncGenerator<ByteRange> {
      for (const span of data) {
        const from = Math.max(span.offset, offset)
        const end = Math.min(span.offset + span.length, offset + length)
        if (end <= from) continue
        yield await Promise.resolve({ offset: byteOffset(from), length: byteCount(end - from) })
      }
    }
    return { place: { size: SIZE, stripe: 32 * MiB, ranges }, reader: volume, volume }
  }

  run(jobs = ALL, milliseconds = MS): Promise<BenchReport> {
    const bench = new Bench({
      ...{ clock: this.clock, random: new SeededRandom(1), interruption: this.interruption },
      ...{ subject: this.subject(), milliseconds },
      held: () => this.driver.held(),
      tell: progress => this.told.push(progress),
    })
    return this.clock.settle('the benchmark', bench.run(jobs), 600_000)
  }
}

function within(spans: readonly Span[], { offset, length }: Span): boolean {
  return spans.some(one => offset >= one.offset && offset + length <= one.offset + one.length)
}

const DATA = [
  { offset: 3 * MiB, length: 5 * MiB },
  { offset: 40 * MiB + 8192, length: 3 * BLOCK },
]

test('all jobs, on data, and every write is what is there', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  const before = await stage.content()
  const { measured, skipped, error } = await stage.run()
  t.deepEqual(
    measured.map(({ job }) => job.name),
    ALL.map(({ name }) => name),
  )
  t.deepEqual([skipped, error], [[], null])
  t.ok(measured.every(({ onData }) => onData))
  t.ok(stage.writes.length > 500, `${stage.writes.length} writes`)
  t.ok(
    stage.writes.every(write => within(DATA, write)),
    'nothing but data is written',
  )
  t.ok(
    stage.reads.every(read => within(DATA, read)),
    'nor read',
  )
  t.ok(Buffer.from(await stage.content()).equals(before), 'the volume is as it was')
  t.equal(stage.driver.claims.get('data'), 1, 'attached once')
  const byName = new Map(measured.map(one => [one.job.name, one]))
  const write = byName.get('4 KiB random write, depth 16')
  const flush = byName.get('4 KiB write + flush, depth 1')
  t.equal(write?.operations, (MS / 2) * 16, 'by the time that an operation takes')
  t.ok(Math.abs((flush?.latency.p50 ?? 0) - 0.007) < 1e-4, 'a FLUSH is a part of it')
  const parts = stage.told.map(({ part }) => part)
  t.deepEqual(
    parts,
    [...parts].sort((a, b) => a - b),
    'it goes on and on',
  )
  t.ok(parts.length > 10 && parts.every(part => part >= 0 && part <= 1))
})

test('without jobs that write, nothing is attached or written', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  const { measured } = await stage.run(READS)
  t.equal(measured.length, READS.length)
  t.deepEqual([stage.driver.claims.get('data'), stage.writes.length], [undefined, 0])
})

test('what is said to be data and is zeroes is not written', async t => {
  const said = [{ offset: 0, length: 4 * MiB }]
  const stage = new Stage(said)
  await stage.fill([{ offset: MiB, length: MiB }])
  await stage.run()
  t.ok(stage.writes.length > 0)
  t.ok(stage.writes.every(write => within([{ offset: MiB, length: MiB }], write)))
})

test('no data: reads say so, writes are left out', async t => {
  const stage = new Stage([])
  const { measured, skipped } = await stage.run()
  t.deepEqual(
    measured.map(({ onData }) => onData),
    [false, false, false],
  )
  t.deepEqual(
    skipped.map(({ job }) => job.kind),
    ['write', 'write', 'write', 'write'],
  )
  t.match(skipped[0]?.reason ?? '', /no 4 KiB of it are data/)
  t.equal(stage.writes.length, 0)
})

test('data in small pieces: only small requests are of data', async t => {
  const small = [{ offset: 8192, length: 7 * BLOCK }]
  const stage = new Stage(small)
  await stage.fill(small)
  const { measured, skipped } = await stage.run()
  const off = measured.filter(({ onData }) => !onData).map(({ job }) => job.name)
  t.deepEqual(off, ['1 MiB sequential read, depth 8'])
  t.deepEqual(
    skipped.map(({ job }) => job.name),
    ['1 MiB sequential write, depth 8'],
  )
})

test('a volume smaller than a request', async t => {
  const stage = new Stage([])
  const subject = stage.subject()
  const place = { ...subject.place, size: 8192 }
  const bench = new Bench({
    ...{ clock: stage.clock, random: new SeededRandom(1), interruption: stage.interruption },
    subject: { ...subject, place },
    ...{ milliseconds: MS, held: () => null, tell: () => undefined },
  })
  const { skipped } = await stage.clock.settle('it', bench.run(READS))
  t.deepEqual(
    skipped.map(({ reason }) => reason),
    ['it has less than 1 MiB'],
  )
})

test('what is written is bounded, however much data there is', async t => {
  const data = [{ offset: 0, length: SIZE }]
  const stage = new Stage(data)
  await stage.fill(data)
  await stage.run(ALL, 3_000)
  for (const length of [BLOCK, MiB]) {
    const places = new Set(stage.writes.filter(one => one.length === length).map(o => o.offset))
    t.ok(places.size * length <= BENCH_CONTENT_BYTES, `${places.size} places of ${length}`)
  }
})

async function failure(running: Promise<unknown>): Promise<SwarmdiskError> {
  try {
    await running
  } catch (error) {
    if (isSwarmdiskError(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

test('attached elsewhere: refused before anything is read', async t => {
  const stage = new Stage(DATA)
  stage.driver.refuseAttach('in-use')
  t.equal((await failure(stage.run())).code, 'in-use')
  t.equal(stage.reads.length, 0)
})

test('interrupted: what was measured is there, and of the job that ran as well', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  stage.clock.after(2.5 * MS, () => stage.interruption.ask())
  const { measured, error } = await stage.run()
  t.equal(error?.code, 'aborted')
  t.deepEqual(
    measured.map(({ job }) => job.name),
    [READS[0]?.name],
  )
  const early = new Stage(DATA)
  early.interruption.ask()
  t.equal((await failure(early.run())).code, 'aborted', 'nothing was measured yet')
  t.equal(early.writes.length, 0)
})

test('interrupted while it is held', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  stage.clock.after(1.5 * MS, () => stage.driver.hold())
  stage.clock.after(1.6 * MS, () => stage.interruption.ask())
  const { measured, error } = await stage.run()
  t.equal(error?.code, 'aborted')
  t.ok((measured[0]?.seconds ?? 0) > MS / 1000, 'the time that was held counts')
})

test('held I/O is told, and a timeout says what it was waiting for', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  stage.clock.after(1.5 * MS, () => stage.driver.hold())
  stage.clock.after(1.5 * MS + 4 * BENCH_TELL_MS, () => {
    stage.driver.fail('io-timeout')
    stage.driver.release()
  })
  const error = await failure(stage.run())
  t.equal(error.code, 'io-timeout')
  t.match(error.message, /^as the test asked for, a test holds it\.$/)
  t.ok(stage.told.some(({ held }) => held === 'a test holds it'))
})

test('a failure in a later job leaves what was measured before it', async t => {
  const stage = new Stage(DATA)
  await stage.fill(DATA)
  stage.clock.after(3 * MS, () => stage.driver.fail('fenced'))
  const { measured, error } = await stage.run()
  t.deepEqual([measured.length, error?.code], [1, 'fenced'])
})
