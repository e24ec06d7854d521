// A TCP socket that puts the messages of a Noise stream together: they come out of it whole, as its
// data, until they are diverted.
import { connect, type OnReadOpts, type Socket } from 'node:net'
import { takeOver } from '../../base/node-streams.js'
import type { Address } from '../../layout/configuration.js'
import type { FrameMemory } from '../wire/frame-memory.js'
import { FrameAssembler, type ReadBuffer } from './frame-assembler.js'

/** Where what arrives is put. */
export interface MessageMemory {
  /** One for all sockets. */
  readonly buffer: ReadBuffer
  readonly frames: FrameMemory
}

/** A whole message behind its length; nobody else has its memory. */
export type Receive = (message: Buffer) => void

export class MessageSocket {
  readonly socket: Socket
  readonly #receiver: Receiver

  private constructor(socket: Socket, receiver: Receiver) {
    this.socket = socket
    this.#receiver = receiver
    receiver.socket = socket
  }

  static connect({ host, port }: Address, memory: MessageMemory): MessageSocket {
    const receiver = new Receiver(memory)
    const { onread } = receiver
    return new MessageSocket(connect({ host, port, noDelay: true, onread }), receiver)
  }

  /** Of a socket that was accepted, and paused; null where node cannot do that with it. */
  static accept(accepted: Socket, memory: MessageMemory): MessageSocket | null {
    const receiver = new Receiver(memory)
    const socket = takeOver(accepted, receiver.onread)
    return socket && new MessageSocket(socket, receiver)
  }

  /** The other side was admitted: it may send what a link carries. */
  trust(): void {
    this.#receiver.assembler.trust()
  }

  /** Messages go there from now on, and are no data of the socket any more. */
  divert(receive: Receive): void {
    this.#receiver.receive = receive
  }
}

/** What the socket reads to. */
class Receiver {
  readonly assembler: FrameAssembler
  readonly onread: OnReadOpts
  socket: Socket | null = null
  receive: Receive = message => this.socket?.emit('data', message)

  constructor({ buffer, frames }: MessageMemory) {
    const assembler = new FrameAssembler({
      buffer,
      take: bytes => frames.take(bytes),
      deliver: message => {
        if (!this.socket?.destroyed) this.receive(message)
      },
      refuse: () => this.socket?.destroy(),
    })
    this.assembler = assembler
    this.onread = {
      buffer: () => assembler.room(),
      callback(bytes) {
        assembler.filled(bytes)
        return true
      },
    }
  }
}
