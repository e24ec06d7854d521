// What sockets of node can do and their documentation does not offer: an accepted connection that
// reads to memory of its owner, and a device that is read in the event loop, without a thread that
// waits for it. Both hang on the handle behind a socket, which has been the same since node 12.
// Where it is not what we know the answer is null, and the caller does without.
import { Socket, type OnReadOpts } from 'node:net'

interface Handle {
  readonly useUserBuffer: (buffer: Uint8Array) => void
}

interface PipeHandle extends Handle {
  /** An error number, where it does not throw. */
  readonly open: (descriptor: number) => number | undefined
}

interface PipeBinding {
  readonly Pipe: new (type: number) => PipeHandle
  readonly constants: { readonly SOCKET: number }
}

interface WithHandle {
  _handle?: Handle | null
}

interface WithBindings {
  readonly binding?: (name: 'pipe_wrap') => PipeBinding
}

/**
 * The connection of a socket that a server has accepted and paused (`pauseOnConnect`), and that
 * nobody has listened to. The server counts it until the new socket is closed.
 */
export function takeOver(accepted: Socket, onread: OnReadOpts): Socket | null {
  const owner: WithHandle = accepted as Socket & WithHandle
  const handle = owner._handle
  if (typeof handle?.useUserBuffer !== 'function') return null
  owner._handle = null
  const options = { handle, onread, readable: true, writable: true }
  const socket = new Socket(options)
  socket.once('close', () => accepted.destroy())
  return socket
}

export interface DescriptorEvents {
  readonly onread: OnReadOpts
  /** Called once, while the descriptor is still ours: with what ended the reading, or null. */
  readonly closing: (error: Error | null) => void
}

/**
 * Reads from a descriptor that can be polled and does not wait (O_NONBLOCK). From now on it belongs
 * to the socket, and is closed with it.
 */
export function readDescriptor(descriptor: number, events: DescriptorEvents): Socket | null {
  const handle = pipeHandle(descriptor)
  return handle && new DescriptorSocket(handle, events)
}

class DescriptorSocket extends Socket {
  readonly #closing: (error: Error | null) => void

  constructor(handle: PipeHandle, { onread, closing }: DescriptorEvents) {
    const options = { handle, onread, readable: true, writable: false }
    super(options)
    this.#closing = closing
    // `closing` has said it.
    this.on('error', () => undefined)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#closing(error)
    super._destroy(error, done)
  }
}

/** Node's own pipes poll whatever descriptor they are given; null if there are none any more. */
function pipeHandle(descriptor: number): PipeHandle | null {
  try {
    const { Pipe, constants } = (process as WithBindings).binding?.('pipe_wrap') ?? {}
    if (!Pipe || !constants) return null
    const handle = new Pipe(constants.SOCKET)
    return (handle.open(descriptor) ?? 0) === 0 ? handle : null
  } catch {
    // Not allowed (--permission), or not there.
    return null
  }
}
