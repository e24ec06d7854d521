import { constants } from 'node:os'
import test from 'tape'
import { systemClock } from '../../../src/base/clock.js'
import { FUSE_FRAME_BYTES, FUSE_REQUESTS_MAX } from '../../../src/base/limits.js'
import { FileOperations } from '../../../src/fuse/file-operations.js'
import { BufferPool } from '../../../src/fuse/kernel/buffer-pool.js'
import { INIT_FLAG, OPCODE } from '../../../src/fuse/kernel/protocol.js'
import { Session } from '../../../src/fuse/kernel/session.js'
import { MemoryDriver } from '../../helpers/memory-driver.js'
import { SeededRandom } from '../../simulator/seeded-random.js'
import { fields, frame, initFrame, name, readFrame, u32, writeFrame } from './frames.js'

const { errno } = constants
const SIZE = 1024 * 1024

interface Answer {
  readonly unique: number
  readonly error: number
  readonly content: Buffer
}

/** A session over one volume, and the answers it gave. */
class Kernel {
  readonly driver = new MemoryDriver({ a: SIZE })
  readonly buffers = new BufferPool()
  readonly answers: Answer[] = []
  readonly begun: boolean[] = []
  rooms = 0
  readonly session = new Session({
    operations: new FileOperations({ driver: this.driver, clock: systemClock }),
    buffers: this.buffers,
    owner: { uid: 7, gid: 8 },
    started: spoken => void this.begun.push(spoken),
    room: () => {
      this.rooms++
    },
  })

  /** What became of the buffer that the request came in. */
  say(request: Buffer): 'free' | 'kept' {
    const buffer = this.buffers.take(FUSE_FRAME_BYTES)
    request.copy(buffer)
    const fate = this.session.receive(buffer, request.length, {
      send: answer => {
        if (answer.length !== answer.readUInt32LE(0)) throw new Error('another length than it says')
        this.answers.push({
          unique: Number(answer.readBigUInt64LE(8)),
          error: answer.readInt32LE(4),
          content: Buffer.from(answer.subarray(16)),
        })
      },
    })
    if (fate === 'free') this.buffers.give(buffer.fill(0xee))
    return fate
  }

  /** The answer to this request, which is the only one. */
  async ask(request: Buffer): Promise<Answer> {
    this.answers.length = 0
    this.say(request)
    await this.settled()
    const [answer, ...more] = this.answers
    if (!answer || more.length > 0) throw new Error(`${this.answers.length} answers`)
    return answer
  }

  /** The driver's work is a few microtasks. */
  settled(): Promise<void> {
    return new Promise(resolve => setImmediate(resolve))
  }

  async open(): Promise<number> {
    const node = await this.lookUp('a.img')
    const answer = await this.ask(
      frame({ opcode: OPCODE.open, node, body: fields(u32(2), u32(0)) }),
    )
    return Number(answer.content.readBigUInt64LE(0))
  }

  async lookUp(file: string): Promise<number> {
    const { content } = await this.ask(frame({ opcode: OPCODE.lookup, body: name(file) }))
    return Number(content.readBigUInt64LE(0))
  }
}

test('how a session begins', async t => {
  const kernel = new Kernel()
  const { error, content } = await kernel.ask(initFrame())
  t.equal(error, 0)
  t.equal(content.length, 64)
  t.deepEqual([content.readUInt32LE(0), content.readUInt32LE(4)], [7, 31], 'version')
  const flags = content.readUInt32LE(12)
  for (const flag of Object.values(INIT_FLAG)) t.ok((flags & flag) !== 0, `flag ${flag}`)
  t.equal(content.readUInt32LE(20), SIZE, 'the largest write')
  t.equal(content.readUInt16LE(28), 256, 'in pages')
  t.deepEqual(kernel.begun, [true])

  const old = await new Kernel().ask(initFrame(26))
  t.equal(old.content.readUInt32LE(4), 26, 'an older kernel is spoken to in its version')
  const ancient = new Kernel()
  t.equal((await ancient.ask(initFrame(12))).error, -errno.EPROTO)
  t.deepEqual(ancient.begun, [false])
  const future = new Kernel()
  t.equal((await future.ask(initFrame(0, 8))).content.readUInt32LE(0), 7, 'it asks again in ours')
  t.deepEqual(future.begun, [])
})

test('names and attributes', async t => {
  const kernel = new Kernel()
  const found = await kernel.ask(frame({ opcode: OPCODE.lookup, body: name('a.img') }))
  const node = Number(found.content.readBigUInt64LE(0))
  t.equal(Number(found.content.readBigUInt64LE(48)), SIZE)
  t.equal(found.content.readUInt32LE(100), 0o100600, 'mode')
  t.deepEqual([found.content.readUInt32LE(108), found.content.readUInt32LE(112)], [7, 8], 'owner')
  const missing = await kernel.ask(frame({ opcode: OPCODE.lookup, body: name('b.img') }))
  t.equal(missing.error, -errno.ENOENT)
  const { content } = await kernel.ask(frame({ opcode: OPCODE.getattr, node, unique: 2 ** 40 }))
  t.equal(Number(content.readBigUInt64LE(16)), node)
  t.equal(kernel.answers[0]?.unique, 2 ** 40, 'large numbers come back whole')

  kernel.answers.length = 0
  kernel.say(frame({ opcode: OPCODE.forget, node, body: fields(1) }))
  await kernel.settled()
  t.equal(kernel.answers.length, 0, 'forgetting has no answer')
  t.equal((await kernel.ask(frame({ opcode: OPCODE.getattr, node }))).error, -errno.ENOENT)
})

test('a directory is read in pieces', async t => {
  const kernel = new Kernel()
  for (let i = 0; i < 100; i++) kernel.driver.add(`volume-${i}`, 4096)
  const opened = await kernel.ask(frame({ opcode: OPCODE.opendir, body: fields(0) }))
  const handle = Number(opened.content.readBigUInt64LE(0))
  const names: string[] = []
  for (let offset = 0, more = true; more;) {
    const body = fields(handle, offset, u32(300), u32(0), 0, u32(0), u32(0))
    const { content } = await kernel.ask(frame({ opcode: OPCODE.readdir, body }))
    t.ok(content.length <= 300 && content.length % 8 === 0, `${content.length} bytes`)
    more = content.length > 0
    for (let at = 0; at < content.length;) {
      const length = content.readUInt32LE(at + 16)
      names.push(content.toString('utf8', at + 24, at + 24 + length))
      offset = Number(content.readBigUInt64LE(at + 8))
      at += Math.ceil((24 + length) / 8) * 8
    }
  }
  t.equal(names.length, 104, 'two dots, the snapshots, the volumes')
  t.equal(new Set(names).size, names.length, 'each once')
  const release = Buffer.concat([fields(handle), Buffer.alloc(16)])
  t.equal((await kernel.ask(frame({ opcode: OPCODE.releasedir, body: release }))).error, 0)
  const body = fields(handle, 0, u32(300), u32(0), 0, u32(0), u32(0))
  const gone = await kernel.ask(frame({ opcode: OPCODE.readdir, body }))
  t.equal(gone.error, -errno.EBADF)
})

test('a buffer is not used again while the driver has it', async t => {
  const kernel = new Kernel()
  const handle = await kernel.open()
  kernel.driver.hold()
  kernel.answers.length = 0
  const large = Buffer.alloc(256 * 1024, 'L')
  const small = Buffer.alloc(4096, 's')
  t.equal(kernel.say(writeFrame({ handle, offset: 0, data: large }, 10)), 'kept')
  t.equal(kernel.say(writeFrame({ handle, offset: SIZE / 2, data: small }, 12)), 'free')
  // Other requests come in between, in whatever memory there is.
  for (let i = 0; i < 50; i++) kernel.say(frame({ opcode: OPCODE.getattr, unique: 100 + 2 * i }))
  await kernel.settled()
  kernel.answers.length = 0
  kernel.driver.release()
  await kernel.settled()
  t.deepEqual(
    kernel.answers.map(({ unique, error, content }) => [unique, error, content.readUInt32LE(0)]),
    [
      [10, 0, large.length],
      [12, 0, small.length],
    ],
  )
  const first = await kernel.ask(readFrame({ handle, offset: 0, size: large.length }, 14))
  t.ok(first.content.equals(large), 'what was written is what came')
  const second = await kernel.ask(readFrame({ handle, offset: SIZE / 2, size: 4096 }, 16))
  t.ok(second.content.equals(small), 'small, too')
})

test('who is interrupted', async t => {
  const kernel = new Kernel()
  const handle = await kernel.open()
  kernel.driver.hold()
  kernel.answers.length = 0
  kernel.say(readFrame({ handle, offset: 0, size: 4096 }, 10))
  kernel.say(writeFrame({ handle, offset: 0, data: Buffer.alloc(10) }, 12))
  const interrupt = (unique: number): Buffer =>
    frame({ opcode: OPCODE.interrupt, unique: unique + 1, body: fields(unique) })
  kernel.say(interrupt(10))
  kernel.say(interrupt(12))
  await kernel.settled()
  t.deepEqual(
    kernel.answers.map(({ unique, error }) => [unique, error]),
    [[10, -errno.EINTR]],
    'a reader is let go; a write may be done already, and goes on',
  )
  kernel.answers.length = 0
  kernel.say(interrupt(14))
  t.deepEqual(
    kernel.answers.map(({ unique, error }) => [unique, error]),
    [[15, -errno.EAGAIN]],
    'one that was not seen yet: say it again',
  )
  kernel.answers.length = 0
  kernel.driver.release()
  await kernel.settled()
  t.deepEqual(
    kernel.answers.map(({ unique, error }) => [unique, error]),
    [[12, 0]],
    'the reader has no second answer',
  )
})

test('requests are bounded', async t => {
  const kernel = new Kernel()
  const handle = await kernel.open()
  kernel.driver.hold()
  let sent = 0
  while (!kernel.session.full) {
    kernel.say(writeFrame({ handle, offset: 0, data: Buffer.alloc(1) }, 10 + 2 * sent))
    sent++
  }
  t.equal(sent, FUSE_REQUESTS_MAX, 'by number')
  kernel.driver.release()
  await kernel.settled()
  t.notOk(kernel.session.full)
  t.equal(kernel.rooms, 1, 'said once')
  kernel.driver.hold()
  for (sent = 0; !kernel.session.full; sent++) {
    kernel.say(writeFrame({ handle, offset: 0, data: Buffer.alloc(100_000) }, 10 + 2 * sent))
  }
  t.ok(sent > 64 && sent < 100, `by memory: ${sent} frames`)
  kernel.driver.release()
  await kernel.settled()
  t.equal(kernel.rooms, 2)
})

test('what is refused', async t => {
  const kernel = new Kernel()
  const handle = await kernel.open()
  const { mkdir, fallocate } = OPCODE
  const body = Buffer.concat([Buffer.alloc(8), name('x')])
  t.equal((await kernel.ask(frame({ opcode: mkdir, body }))).error, -errno.EPERM)
  const snapshots = await kernel.lookUp('.snapshots')
  t.equal((await kernel.ask(frame({ opcode: mkdir, node: snapshots, body }))).error, -errno.EROFS)
  t.equal((await kernel.ask(frame({ opcode: 22 }))).error, -errno.ENOSYS, 'extended attributes')
  const allocate = fields(handle, 0, 4096, u32(0), u32(0))
  const { error } = await kernel.ask(frame({ opcode: fallocate, body: allocate }))
  t.equal(error, -errno.EOPNOTSUPP)
  const cut = frame({ opcode: OPCODE.read, body: Buffer.alloc(3) })
  t.equal((await kernel.ask(cut)).error, -errno.EINVAL)
  const far = await kernel.ask(readFrame({ handle, offset: 2 ** 60, size: 10 }, 2))
  t.deepEqual([far.error, far.content.length], [0, 0], 'far behind the end')
  const beyond = writeFrame({ handle, offset: 2 ** 60, data: Buffer.alloc(1) }, 2)
  t.equal((await kernel.ask(beyond)).error, -errno.ENOSPC)
  const wrong = await kernel.ask(readFrame({ handle: 2 ** 40, offset: 0, size: 10 }, 2))
  t.equal(wrong.error, -errno.EBADF)
})

test('garbage is answered, and harms nothing', async t => {
  const kernel = new Kernel()
  const random = new SeededRandom(20_261)
  const handle = await kernel.open()
  const node = await kernel.lookUp('a.img')
  const opcodes = [...Object.values(OPCODE), 0, 5, 22, 46, 4096, 2 ** 31]
  const silent: readonly number[] = [OPCODE.forget, OPCODE.batchForget, OPCODE.interrupt]
  const bytes = (most: number): Buffer => Buffer.from(random.bytes(random.below(most)))
  let wrong = 0
  for (let i = 0; i < 20_000; i++) {
    const opcode = opcodes[random.below(opcodes.length)] ?? 0
    const body = bytes(200)
    // Sometimes a handle that exists, so that garbage gets further.
    if (body.length >= 8 && random.below(2) === 0) body.writeBigUInt64LE(BigInt(handle), 0)
    const request = frame({ opcode, unique: 2 + 2 * i, node: random.below(2) ? 1 : node, body })
    if (random.below(4) === 0) request.writeUInt8(random.below(256), random.below(request.length))
    const cut = random.below(8) === 0 ? request.subarray(0, random.below(request.length)) : request
    kernel.answers.length = 0
    kernel.say(cut)
    await kernel.settled()
    const allowed = cut.length < 40 || cut !== request || silent.includes(opcode) ? [0, 1] : [1]
    if (!allowed.includes(kernel.answers.length) && request.readUInt32LE(4) === opcode) wrong++
  }
  t.equal(wrong, 0, 'each request has one answer')
  const again = await kernel.open()
  const { content } = await kernel.ask(readFrame({ handle: again, offset: 0, size: 4096 }, 2))
  t.equal(content.length, 4096, 'and it still serves')
})
