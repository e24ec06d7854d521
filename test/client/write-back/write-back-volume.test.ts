// A volume with a write-back cache over one that a test controls: when writes are answered, when
// they are sent, and who hears of those that fail.
import test from 'tape'
import { byteCount, byteOffset } from '../../../src/base/brands.js'
import { SwarmdiskError, type ErrorCode } from '../../../src/base/errors.js'
import {
  BLOCK_BYTES,
  WRITE_BACK_AGE_MS,
  WRITE_BACK_BYTES,
  WRITE_BACK_RUNS_MAX,
} from '../../../src/base/limits.js'
import { silentLog } from '../../../src/base/log.js'
import type { OpenVolume } from '../../../src/client/volume-driver.js'
import { WriteBackVolume } from '../../../src/client/write-back/write-back-volume.js'
import { VirtualClock } from '../../simulator/virtual-clock.js'

const SIZE = 2 * WRITE_BACK_BYTES

interface Sent {
  readonly offset: number
  readonly bytes: Uint8Array
  readonly end: (error?: SwarmdiskError) => void
}

/** Keeps what it is given until the test lets it go on. */
class Below implements OpenVolume {
  readonly name = 'data'
  size = byteCount(SIZE)
  readonly claimed = true
  readonly sent: Sent[] = []
  readonly calls: string[] = []

  attach(): Promise<void> {
    return this.#call('attach')
  }

  release(): Promise<void> {
    return this.#call('release')
  }

  read(_offset: number, into: Uint8Array): Promise<void> {
    into.fill(9)
    return this.#call('read')
  }

  write(offset: number, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (error?: SwarmdiskError): void => (error ? reject(error) : resolve())
      this.sent.push({ offset, bytes, end })
    })
  }

  discard(): Promise<void> {
    return this.#call('discard')
  }

  flush(): Promise<void> {
    return this.#call('flush')
  }

  grow(size: number): Promise<void> {
    this.size = byteCount(size)
    return this.#call('grow')
  }

  #call(name: string): Promise<void> {
    this.calls.push(name)
    return Promise.resolve()
  }
}

function fixture(ioTimeout: number | null = null) {
  const clock = new VirtualClock()
  const below = new Below()
  const volume = new WriteBackVolume({ clock, log: silentLog, ioTimeout, below })
  const write = (block: number, value: number): Promise<void> =>
    volume.write(byteOffset(block * BLOCK_BYTES), Buffer.alloc(BLOCK_BYTES, value))
  const read = async (block: number): Promise<number | undefined> => {
    const into = Buffer.alloc(BLOCK_BYTES)
    await volume.read(byteOffset(block * BLOCK_BYTES), into)
    return into[0]
  }
  return { clock, below, volume, write, read }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

async function codeOf(promise: Promise<void>): Promise<ErrorCode | 'none'> {
  try {
    await promise
    return 'none'
  } catch (error) {
    if (error instanceof SwarmdiskError) return error.code
    throw error
  }
}

test('a write is answered from memory, read from there, and sent after a while', async t => {
  const { clock, below, write, read } = fixture()
  await write(3, 1)
  await write(3, 2)
  t.equal(await read(3), 2)
  t.deepEqual(below.calls, [], 'no server was asked')
  t.equal(await read(4), 9)
  t.equal(below.sent.length, 0)
  await clock.until('it is sent', () => below.sent.length > 0, 2 * WRITE_BACK_AGE_MS)
  t.equal(below.sent.length, 1, 'once')
  t.equal(below.sent[0]?.bytes[0], 2)
  t.end()
})

test('a FLUSH sends what was written before, waits for that, and for no more', async t => {
  const { below, volume, write } = fixture()
  await write(1, 1)
  await write(7, 1)
  const flushed = volume.flush()
  await write(9, 1)
  await turn()
  t.deepEqual(
    below.sent.map(({ offset }) => offset / BLOCK_BYTES),
    [1, 7],
  )
  t.deepEqual(below.calls, [], 'nothing is flushed below before it is there')
  for (const { end } of below.sent) end()
  await flushed
  t.deepEqual(below.calls, ['flush'])
  t.end()
})

test('neighbours are sent together', async t => {
  const { below, volume, write } = fixture()
  for (const block of [5, 3, 4, 9]) await write(block, block)
  void volume.flush()
  await turn()
  const runs = below.sent.map(({ offset, bytes }) => [offset / BLOCK_BYTES, bytes.length])
  t.deepEqual(runs, [
    [5, BLOCK_BYTES],
    [3, 2 * BLOCK_BYTES],
    [9, BLOCK_BYTES],
  ])
  t.end()
})

test('a write that fails is told by the next FLUSH, once', async t => {
  const { below, volume, write } = fixture()
  await write(1, 1)
  const flushed = codeOf(volume.flush())
  await turn()
  below.sent[0]?.end(new SwarmdiskError('io-timeout', 'given up'))
  t.equal(await flushed, 'io-timeout')
  t.deepEqual(below.calls, ['flush'], 'the rest was flushed')
  t.equal(await codeOf(volume.flush()), 'none')
  t.equal(await codeOf(write(2, 1)), 'none', 'and others go on')
  t.end()
})

test('a volume that is not ours any more takes no writes, until it is opened again', async t => {
  const { below, volume, write } = fixture()
  await write(1, 1)
  const flushed = codeOf(volume.flush())
  await turn()
  below.sent[0]?.end(new SwarmdiskError('fenced', 'another has it'))
  t.equal(await flushed, 'fenced')
  t.equal(await codeOf(write(2, 1)), 'fenced')
  await volume.attach()
  t.equal(await codeOf(write(2, 1)), 'none')
  t.end()
})

test('FLUSHes that waited together for a write that is lost all say so', async t => {
  const { below, volume, write } = fixture()
  await write(1, 1)
  const flushed = [codeOf(volume.flush()), codeOf(volume.flush())]
  await turn()
  below.sent[0]?.end(new SwarmdiskError('io-timeout', 'given up'))
  t.deepEqual(await Promise.all(flushed), ['io-timeout', 'io-timeout'])
  t.equal(await codeOf(volume.flush()), 'none')
  t.end()
})

test('nothing is sent any more of a volume that is not ours any more', async t => {
  const { below, volume, write } = fixture()
  for (let i = 0; i < 2 * WRITE_BACK_RUNS_MAX; i++) await write(2 * i, 1)
  const flushed = codeOf(volume.flush())
  await turn()
  const sent = [...below.sent]
  t.equal(sent.length, WRITE_BACK_RUNS_MAX)
  for (const { end } of sent) end(new SwarmdiskError('aborted', 'it was closed'))
  t.equal(await flushed, 'aborted')
  t.equal(below.sent.length, WRITE_BACK_RUNS_MAX, 'the rest was given up')
  t.end()
})

test('--io-timeout bounds a FLUSH, and what it waited for goes on', async t => {
  const { clock, below, volume, write } = fixture(30_000)
  for (let i = 0; i < 2 * WRITE_BACK_RUNS_MAX; i++) await write(2 * i, 1)
  const flushed = codeOf(volume.flush())
  t.equal(await clock.settle('it gives up', flushed, 31_000), 'io-timeout')
  for (let i = 0; i < below.sent.length; i++) {
    below.sent[i]?.end()
    await turn()
  }
  t.equal(below.sent.length, 2 * WRITE_BACK_RUNS_MAX, 'all was sent')
  t.equal(await codeOf(volume.flush()), 'none', 'and nothing was lost')
  t.end()
})

test('--io-timeout bounds a write that waits for room, and giving back', async t => {
  const { clock, below, volume, write } = fixture(30_000)
  await volume.attach()
  const blocks = WRITE_BACK_BYTES / BLOCK_BYTES
  for (let i = 0; i < blocks; i++) await write(2 * i, 1)
  const more = codeOf(write(2 * blocks - 1, 1))
  t.equal(await clock.settle('it gives up', more, 31_000), 'io-timeout')
  const released = codeOf(volume.release())
  t.equal(await clock.settle('it gives up', released, 31_000), 'io-timeout')
  t.deepEqual(below.calls, ['attach', 'release'])
  const sent = below.sent.length
  for (const { end } of [...below.sent]) end(new SwarmdiskError('aborted', 'it was given back'))
  await turn()
  t.equal(below.sent.length, sent, 'what was left is not sent any more')
  t.end()
})

test('whoever writes more than fits waits for room', async t => {
  const { below, write } = fixture()
  const blocks = WRITE_BACK_BYTES / BLOCK_BYTES
  let answered = 0
  // Every other one: they cannot be sent together.
  for (let i = 0; i <= blocks; i++)
    void write(2 * (i % blocks) + (i === blocks ? 1 : 0), 1).then(() => answered++)
  await turn()
  t.equal(answered, blocks)
  t.equal(below.sent.length, WRITE_BACK_RUNS_MAX, 'so many are under way')
  below.sent[0]?.end()
  await turn()
  t.equal(answered, blocks + 1)
  t.end()
})

test('a discard comes after the writes to its range, and giving back after all', async t => {
  const { below, volume, write } = fixture()
  await volume.attach()
  below.calls.length = 0
  await write(1, 1)
  await write(50, 1)
  const discarded = volume.discard(byteOffset(0), byteCount(8 * BLOCK_BYTES))
  await turn()
  t.deepEqual(below.calls, [])
  t.equal(below.sent.length, 1, 'the others are not in its way')
  below.sent[0]?.end()
  await discarded
  t.deepEqual(below.calls, ['discard'])
  const released = volume.release()
  await turn()
  below.sent[1]?.end()
  await released
  t.deepEqual(below.calls, ['discard', 'release'])
  t.end()
})
