// Carries out what the kernel asks, over the file operations, and answers each request exactly once
// on the channel that it came by, whatever happens: the kernel waits for it without end. Knows no
// descriptor; frames come in, answers go out.
import { assert, exhaustive } from '../../base/assert.js'
import {
  FUSE_HANDLES_MAX,
  FUSE_HELD_BYTES_MAX,
  FUSE_REQUESTS_MAX,
  FUSE_SMALL_BUFFER_BYTES,
} from '../../base/limits.js'
import { ERRNO_OF_BUG, errnoOf, FileRefusal, type Subject } from '../errno.js'
import {
  FILE_NAME_LENGTH_MAX,
  refusalOfChange,
  SNAPSHOT_DIRECTORY,
  type FileOperations,
} from '../file-operations.js'
import { Answers, packDirectory, seal, type DirectoryEntry, type Owner } from './answer-codec.js'
import type { BufferPool } from './buffer-pool.js'
import { NodeTable } from './node-table.js'
import { ANSWER_HEADER_BYTES, MAJOR, MINOR_MIN } from './protocol.js'
import {
  decodeRequest,
  keyOf,
  type InitOperation,
  type Operation,
  type Part,
  type Place,
  type RequestHeader,
} from './request-codec.js'

export interface Channel {
  /** Passes the answer on before it returns. */
  send(answer: Buffer): void
}

export interface SessionOptions {
  readonly operations: FileOperations
  readonly buffers: BufferPool
  readonly owner: Owner
  /** The kernel has asked to begin; false: in a version that we do not speak. */
  readonly started: (spoken: boolean) => void
  /** It was full, and is not any more. */
  readonly room: () => void
}

interface Exchange {
  readonly header: RequestHeader
  readonly channel: Channel
  /** Memory that it holds. */
  readonly bytes: number
  /** Whoever waits for it may be let go, since nothing changes by it. */
  readonly read: boolean
  answered: boolean
}

type WriteOperation = Extract<Operation, { kind: 'write' }>
type SetattrOperation = Extract<Operation, { kind: 'setattr' }>
/** What has to wait for the driver, and carries no data. */
type LaterOperation = Extract<
  Operation,
  { kind: 'setattr' | 'open' | 'fsync' | 'flush' | 'release' | 'zero' }
>
/** What the driver is not needed for. */
type PromptOperation = Exclude<Operation, LaterOperation | { kind: 'read' | 'write' }>

const LATER: ReadonlySet<string> = new Set<LaterOperation['kind']>([
  ...(['setattr', 'open', 'fsync', 'flush', 'release', 'zero'] as const),
])

function waits(operation: Operation): operation is LaterOperation {
  return LATER.has(operation.kind)
}

export class Session {
  readonly #options: SessionOptions
  readonly #operations: FileOperations
  readonly #answers = new Answers()
  readonly #nodes = new NodeTable()
  readonly #directories = new Map<number, readonly DirectoryEntry[]>()
  #lastDirectory = 0
  readonly #inFlight = new Map<number, Exchange>()
  #heldBytes = 0

  constructor(options: SessionOptions) {
    this.#options = options
    this.#operations = options.operations
  }

  /** No more frames may come until room() was called. */
  get full(): boolean {
    return this.#inFlight.size >= FUSE_REQUESTS_MAX || this.#heldBytes >= FUSE_HELD_BYTES_MAX
  }

  get underWay(): number {
    return this.#inFlight.size
  }

  /**
   * One request: the first `bytes` bytes of a buffer. 'kept': the buffer is the session's from now
   * on; else it may be filled again as soon as this returns.
   */
  receive(buffer: Buffer, bytes: number, channel: Channel): 'free' | 'kept' {
    const request = decodeRequest(buffer.subarray(0, bytes))
    if (request === null) return 'free'
    const { header, operation } = request
    if (operation.kind === 'write') return this.#write(header, operation, { buffer, channel })
    if (operation.kind === 'read') void this.#read(header, operation, channel)
    else if (waits(operation)) this.#later(header, operation, channel)
    else this.#now(header, operation, channel)
    return 'free'
  }

  /** What is answered from memory. */
  #now(header: RequestHeader, operation: PromptOperation, channel: Channel): void {
    let answer: Buffer | null
    try {
      answer = this.#answer(header, operation)
    } catch (error) {
      const errno = errnoOf(error, 'name')
      channel.send(this.#answers.status(header, errno ?? ERRNO_OF_BUG))
      if (errno === null) throw error
      return
    }
    if (answer !== null) channel.send(answer)
  }

  /** Null: nobody waits for an answer. */
  #answer(header: RequestHeader, operation: PromptOperation): Buffer | null {
    switch (operation.kind) {
      case 'init':
        return this.#init(header, operation)
      case 'lookup':
        return this.#lookup(header, operation.name)
      case 'forget':
        for (const { node, count } of operation.nodes) this.#nodes.forget(node, count)
        return null
      case 'getattr':
        return this.#attributes(header)
      case 'statfs':
        return this.#answers.space(header, this.#operations.space(), FILE_NAME_LENGTH_MAX)
      case 'opendir':
        return this.#answers.openedDirectory(header, this.#openDirectory(header.node))
      case 'readdir':
        return this.#readDirectory(header, operation)
      case 'releasedir':
        this.#directories.delete(operation.handle)
        return this.#answers.status(header, 0)
      case 'fsyncdir':
      case 'destroy':
        return this.#answers.status(header, 0)
      case 'interrupt':
        return this.#interrupt(operation.of)
      case 'change':
        throw refusalOfChange(operation.places.map(place => this.#pathOf(place)))
      case 'unsupported':
        throw new FileRefusal('unsupported')
      case 'unknown':
        throw new FileRefusal('unknown-operation')
      case 'malformed':
        throw new FileRefusal('malformed')
      default:
        return exhaustive(operation)
    }
  }

  #init(header: RequestHeader, asked: InitOperation): Buffer {
    if (asked.major > MAJOR) return this.#answers.version(header)
    const spoken = asked.major === MAJOR && asked.minor >= MINOR_MIN
    this.#options.started(spoken)
    if (!spoken) throw new FileRefusal('wrong-version')
    return this.#answers.init(header, asked)
  }

  #lookup(header: RequestHeader, name: string): Buffer {
    const path = this.#pathOf({ node: header.node, name })
    const attributes = this.#operations.attributes(path)
    const node = this.#nodes.lookUp(path)
    return this.#answers.entry(header, { node, attributes, owner: this.#options.owner })
  }

  #attributes(header: RequestHeader): Buffer {
    const { node } = header
    const attributes = this.#operations.attributes(this.#path(node))
    return this.#answers.attributes(header, { node, attributes, owner: this.#options.owner })
  }

  /** Its content is taken when it is read from its beginning. */
  #openDirectory(node: number): number {
    const { kind } = this.#operations.attributes(this.#path(node))
    if (kind !== 'directory') throw new FileRefusal('not-a-directory')
    if (this.#directories.size >= FUSE_HANDLES_MAX) throw new FileRefusal('too-many-open')
    do this.#lastDirectory = (this.#lastDirectory % 0xffff_ffff) + 1
    while (this.#directories.has(this.#lastDirectory))
    this.#directories.set(this.#lastDirectory, [])
    return this.#lastDirectory
  }

  #readDirectory(header: RequestHeader, { handle, offset, size }: Part<'readdir'>): Buffer {
    if (!this.#directories.has(handle)) throw new FileRefusal('bad-handle')
    if (offset === 0) this.#directories.set(handle, this.#entries(this.#path(header.node)))
    const entries = this.#directories.get(handle) ?? []
    const buffer = this.#options.buffers.take(ANSWER_HEADER_BYTES + size)
    const content = buffer.subarray(ANSWER_HEADER_BYTES, ANSWER_HEADER_BYTES + size)
    const answer = seal(buffer, header, packDirectory(content, entries, offset))
    // It is sent before anybody takes the buffer again.
    this.#options.buffers.give(buffer)
    return answer
  }

  #entries(path: string): readonly DirectoryEntry[] {
    const node = this.#nodes.numberOf(path)
    const names = this.#operations.list(path).map((name): DirectoryEntry => {
      const kind = name === SNAPSHOT_DIRECTORY ? 'directory' : 'file'
      return { node: this.#nodes.numberOf(within(path, name)), name, kind }
    })
    const dots = ['.', '..'].map(name => ({ node, name, kind: 'directory' as const }))
    return [...dots, ...names]
  }

  /**
   * A reader that is interrupted, or killed, is let go; the driver goes on reading into memory that
   * nobody uses again. Whatever else is under way goes on: it may have been done already.
   */
  #interrupt(of: number): null {
    const exchange = this.#inFlight.get(of)
    // Not read from the kernel yet; or just answered, then the kernel does not care.
    if (!exchange) throw new FileRefusal('not-seen-yet')
    if (exchange.read) this.#fail(exchange, new FileRefusal('interrupted'), 'open file')
    return null
  }

  #later(header: RequestHeader, operation: LaterOperation, channel: Channel): void {
    const exchange = this.#begin({ header, channel, bytes: 0, read: false, answered: false })
    const operations = this.#operations
    switch (operation.kind) {
      case 'setattr':
        return void this.#setattr(exchange, operation)
      case 'open':
        return void this.#open(exchange, operation.write)
      case 'fsync':
        return void this.#wait(exchange, () => operations.sync(operation.handle))
      case 'flush':
        return void this.#wait(exchange, () => operations.close(operation.handle))
      case 'release':
        return void this.#wait(exchange, () => operations.release(operation.handle))
      case 'zero':
        return void this.#wait(exchange, () => operations.zero(operation.handle, operation))
    }
  }

  async #wait(exchange: Exchange, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      this.#send(exchange, this.#answers.status(exchange.header, 0))
    } catch (error) {
      this.#fail(exchange, error, 'open file')
    } finally {
      this.#end(exchange)
    }
  }

  async #setattr(exchange: Exchange, { size, others }: SetattrOperation): Promise<void> {
    const { header } = exchange
    try {
      const path = this.#path(header.node)
      if (others) throw refusalOfChange([path])
      if (size !== null) await this.#operations.resize(path, size)
      this.#send(exchange, this.#attributes(header))
    } catch (error) {
      this.#fail(exchange, error, 'name')
    } finally {
      this.#end(exchange)
    }
  }

  async #open(exchange: Exchange, write: boolean): Promise<void> {
    const { header } = exchange
    try {
      const handle = await this.#operations.open(this.#path(header.node), { write })
      this.#send(exchange, this.#answers.opened(header, handle))
    } catch (error) {
      this.#fail(exchange, error, 'name')
    } finally {
      this.#end(exchange)
    }
  }

  async #read(header: RequestHeader, asked: Part<'read'>, channel: Channel): Promise<void> {
    const { handle, offset, size } = asked
    const buffer = this.#options.buffers.take(ANSWER_HEADER_BYTES + size)
    const bytes = buffer.length
    const exchange = this.#begin({ header, channel, bytes, read: true, answered: false })
    try {
      const into = buffer.subarray(ANSWER_HEADER_BYTES, ANSWER_HEADER_BYTES + size)
      const length = await this.#operations.read(handle, offset, into)
      this.#send(exchange, seal(buffer, header, length))
      this.#options.buffers.give(buffer)
    } catch (error) {
      // The driver may still hold the buffer, so nobody gets it again.
      this.#fail(exchange, error, 'open file')
    } finally {
      this.#end(exchange)
    }
  }

  /** Small data is copied, so that it does not hold a large buffer. */
  #write(
    header: RequestHeader,
    { handle, offset, data }: WriteOperation,
    { buffer, channel }: { readonly buffer: Buffer; readonly channel: Channel },
  ): 'free' | 'kept' {
    const keep = data.length > FUSE_SMALL_BUFFER_BYTES
    const own = keep ? buffer : this.#options.buffers.take(data.length)
    if (!keep) data.copy(own)
    const payload = keep ? data : own.subarray(0, data.length)
    const bytes = own.length
    const exchange = this.#begin({ header, channel, bytes, read: false, answered: false })
    void this.#written(exchange, own, this.#operations.write(handle, offset, payload))
    return keep ? 'kept' : 'free'
  }

  async #written(exchange: Exchange, own: Buffer, work: Promise<number>): Promise<void> {
    try {
      const bytes = await work
      this.#send(exchange, this.#answers.written(exchange.header, bytes))
      this.#options.buffers.give(own)
    } catch (error) {
      // As with reads.
      this.#fail(exchange, error, 'open file')
    } finally {
      this.#end(exchange)
    }
  }

  #begin(exchange: Exchange): Exchange {
    this.#inFlight.set(keyOf(exchange.header), exchange)
    this.#heldBytes += exchange.bytes
    return exchange
  }

  #end(exchange: Exchange): void {
    assert(exchange.answered, 'no request ends without an answer')
    const wasFull = this.full
    // The kernel uses a number again only after the answer; then this is not ours any more.
    const key = keyOf(exchange.header)
    if (this.#inFlight.get(key) === exchange) this.#inFlight.delete(key)
    this.#heldBytes -= exchange.bytes
    if (wasFull && !this.full) this.#options.room()
  }

  #send(exchange: Exchange, answer: Buffer): void {
    if (exchange.answered) return
    exchange.answered = true
    exchange.channel.send(answer)
  }

  #fail(exchange: Exchange, error: unknown, subject: Subject): void {
    const errno = errnoOf(error, subject)
    this.#send(exchange, this.#answers.status(exchange.header, errno ?? ERRNO_OF_BUG))
    // A bug is no I/O error: it has to reach the top of the process.
    if (errno === null) throw error
  }

  #path(node: number): string {
    const path = this.#nodes.path(node)
    if (path === null) throw new FileRefusal('no-such-file')
    return path
  }

  #pathOf({ node, name }: Place): string {
    const path = this.#path(node)
    return name === null ? path : within(path, name)
  }
}

function within(directory: string, name: string): string {
  return directory === '/' ? `/${name}` : `${directory}/${name}`
}
