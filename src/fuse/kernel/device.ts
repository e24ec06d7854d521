// /dev/fuse as a stream of requests and answers. A read from it waits in the kernel until there is
// a request, and so occupies a thread of libuv's pool. Where the system lets us have a second
// descriptor for the same mount (it takes an ioctl, which Node cannot do and Perl can), that one
// never waits: the event loop polls it as it polls sockets, and what has come together by then is
// read at once. No request wakes up a thread, which cost as much as all the rest of a small read.
//
// A descriptor is closed only when no read of it is under way: its number could mean another file
// by then.
import { closeSync, constants, openSync, read, readSync, writeSync } from 'node:fs'
import type { Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { assert } from '../../base/assert.js'
import type { Clock } from '../../base/clock.js'
import {
  FUSE_DEVICE_RETRY_MS,
  FUSE_EMPTY_LOOKS,
  FUSE_FRAME_BYTES,
  FUSE_READERS_MAX,
  FUSE_REQUESTS_PER_TURN,
  POOL_THREADS_DEFAULT,
  POOL_THREADS_SPARED,
} from '../../base/limits.js'
import { readDescriptor } from '../../base/node-streams.js'
import type { Tools } from '../run-tool.js'
import type { BufferPool } from './buffer-pool.js'
import type { Channel } from './session.js'
import { Wakefulness } from './wakefulness.js'

export interface Receiver {
  /** As Session.receive(). */
  receive(buffer: Buffer, bytes: number, channel: Channel): 'free' | 'kept'
  readonly full: boolean
  /** Requests that have no answer yet. */
  readonly underWay: number
}

export interface DeviceOptions {
  readonly path: string
  readonly clock: Clock
  readonly buffers: BufferPool
  readonly receiver: Receiver
  /** Once, when nothing can come any more; null: it was unmounted or aborted. */
  readonly ended: (error: Error | null) => void
}

/**
 * The mount is gone, or was aborted while a request was being copied; for an answer ENOENT says
 * that the kernel has given its request up. Nobody waits any more.
 */
const GONE = ['ENODEV', 'ECONNABORTED', 'ENOENT']
/** Nothing was read, and the next read will say whether there is more. */
const AGAIN = ['EINTR', 'EAGAIN', 'ENOENT']

/** Descriptor 3 serves the connection of descriptor 4: FUSE_DEV_IOC_CLONE, _IOR(229, 0, u32). */
const CLONE =
  'open(F, "+<&=", 3) or exit 1; $n = pack("L", 4); exit(ioctl(F, 0x8004e500, $n) ? 0 : 1)'

/** The descriptor that the event loop reads. */
interface Polled {
  readonly channel: DescriptorChannel
  readonly socket: Socket
  /** Memory for the next request. */
  frame: Buffer
}

export class FuseDevice {
  readonly #options: DeviceOptions
  readonly #wakefulness: Wakefulness
  readonly #waiting: DescriptorChannel
  #polled: Polled | null = null
  /** Reads that wait in the pool, and those that are asked for. */
  #readers = 0
  #readersWanted = 0
  /** Requests still to come before it is worth a look whether there are more. */
  #emptyLooks = 0
  #ended = false

  /** Throws what open(2) says. */
  constructor(options: DeviceOptions) {
    this.#options = options
    this.#wakefulness = new Wakefulness({
      clock: options.clock,
      allowed: availableParallelism() > 1,
      underWay: () => options.receiver.underWay,
      nextTurn: setImmediate,
    })
    this.#waiting = this.#channel(openSync(options.path, constants.O_RDWR))
  }

  get descriptor(): number {
    return this.#waiting.descriptor
  }

  /** Begins to read, if need be before it is mounted. */
  start(): void {
    this.#readersWanted = readersBesideOthers()
    this.#wait()
  }

  /** It is mounted by now: nobody has to look again later. */
  mounted(): void {
    this.#wait()
  }

  /** True if from now on the event loop reads, and no thread waits any more. */
  async poll(tools: Tools): Promise<boolean> {
    const descriptor = openSync(this.#options.path, constants.O_RDWR | constants.O_NONBLOCK)
    const cloned = await tools
      .runWithFiles('perl', ['-e', CLONE], [descriptor, this.#waiting.descriptor])
      .then(
        ({ exitCode }) => exitCode === 0,
        () => false, // there is no Perl: then threads wait
      )
    this.#polled = cloned && !this.#ended ? this.#pollDescriptor(descriptor) : null
    if (!this.#polled) {
      closeSync(descriptor)
      return false
    }
    this.#readersWanted = 0
    return true
  }

  /** There is room for more requests. */
  resume(): void {
    if (this.#ended) return
    if (!this.#polled) return this.#wait()
    this.#drain(this.#polled)
    if (!this.#options.receiver.full) this.#polled.socket.resume()
  }

  /** For a device that never was mounted: then no read of it waits. */
  stop(): void {
    this.#end(null)
  }

  #channel(descriptor: number): DescriptorChannel {
    return new DescriptorChannel(descriptor, () => this.#wakefulness.answered())
  }

  #wait(): void {
    while (!this.#ended && this.#readers < this.#readersWanted && !this.#options.receiver.full) {
      this.#readers++
      this.#read(this.#options.buffers.take(FUSE_FRAME_BYTES))
    }
  }

  #read(buffer: Buffer): void {
    read(this.#waiting.descriptor, buffer, 0, buffer.length, null, (error, bytes) => {
      if (error && !this.#ended && AGAIN.includes(error.code ?? '')) {
        this.#read(buffer)
        return
      }
      this.#readers--
      if (error) this.#failed(error)
      else if (!this.#ended) this.#deliver(buffer, bytes)
      this.#closeWhenUnused()
    })
  }

  #deliver(buffer: Buffer, bytes: number): void {
    const { receiver, buffers } = this.#options
    if (receiver.receive(buffer, bytes, this.#waiting) === 'free') buffers.give(buffer)
    this.#wakefulness.asked()
    this.#wait()
  }

  /** Null where this version of node cannot do it. */
  #pollDescriptor(descriptor: number): Polled | null {
    const channel = this.#channel(descriptor)
    const frame = this.#options.buffers.take(FUSE_FRAME_BYTES)
    const socket = readDescriptor(descriptor, {
      onread: {
        buffer: () => this.#polled?.frame ?? frame,
        callback: bytes => this.#requested(bytes),
      },
      closing: error => {
        channel.lose()
        if (error) this.#failed(error)
      },
    })
    return socket && { channel, socket, frame }
  }

  /** The event loop has read a request. False: no more of them for now. */
  #requested(bytes: number): boolean {
    const polled = this.#polled
    assert(polled, 'a request comes in a later turn')
    this.#receive(polled, bytes)
    this.#wakefulness.asked()
    if (this.#emptyLooks > 0) this.#emptyLooks--
    else this.#drain(polled)
    return !this.#options.receiver.full
  }

  /** What is there, up to a bound; the rest in another turn. */
  #drain(polled: Polled): void {
    const { receiver } = this.#options
    for (let i = 0; i < FUSE_REQUESTS_PER_TURN && !receiver.full; i++) {
      const bytes = readNow(polled)
      if (bytes === 0) {
        if (i === 0) this.#emptyLooks = FUSE_EMPTY_LOOKS
        return
      }
      this.#receive(polled, bytes)
    }
  }

  #receive(polled: Polled, bytes: number): void {
    const { receiver, buffers } = this.#options
    if (receiver.receive(polled.frame, bytes, polled.channel) === 'kept') {
      polled.frame = buffers.take(FUSE_FRAME_BYTES)
    }
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#ended) return
    if (error.code === 'EPERM') {
      // Not mounted yet.
      this.#options.clock.after(FUSE_DEVICE_RETRY_MS, () => this.#wait())
    } else this.#end(GONE.includes(error.code ?? '') ? null : error)
  }

  #end(error: Error | null): void {
    if (this.#ended) return
    this.#ended = true
    this.#polled?.socket.destroy()
    this.#closeWhenUnused()
    this.#options.ended(error)
  }

  #closeWhenUnused(): void {
    if (this.#ended && this.#readers === 0) this.#waiting.close()
  }
}

/** 0: there is nothing. That is told by an error, half of whose cost is its stack trace. */
function readNow({ channel, frame }: Polled): number {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return readSync(channel.descriptor, frame, 0, frame.length, null)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // The event loop hears of the end as well, and says so.
    if (AGAIN.includes(code) || GONE.includes(code)) return 0
    throw error
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

class DescriptorChannel implements Channel {
  readonly descriptor: number
  readonly #sent: () => void
  #closed = false

  constructor(descriptor: number, sent: () => void) {
    this.descriptor = descriptor
    this.#sent = sent
  }

  send(answer: Buffer): void {
    if (this.#closed) return
    try {
      // At once: it takes the kernel microseconds, and a way through the pool more than that.
      const bytes = writeSync(this.descriptor, answer, 0, answer.length)
      assert(bytes === answer.length, 'the kernel takes an answer whole')
      this.#sent()
    } catch (error) {
      if (!GONE.includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.descriptor)
  }

  /** Somebody else closes it. */
  lose(): void {
    this.#closed = true
  }
}

/** Threads that may wait for requests; others are left for files and for names of hosts. */
function readersBesideOthers(): number {
  const configured = Number(process.env.UV_THREADPOOL_SIZE)
  const threads = Number.isInteger(configured) && configured > 0 ? configured : POOL_THREADS_DEFAULT
  return Math.max(1, Math.min(FUSE_READERS_MAX, threads - POOL_THREADS_SPARED))
}
