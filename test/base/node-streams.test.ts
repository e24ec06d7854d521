import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer, Socket, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test, { type Test } from 'tape'
import { readDescriptor, takeOver } from '../../src/base/node-streams.js'
import { eventually } from '../helpers/eventually.js'
import { undo } from '../helpers/undo.js'

const TIMEOUT = { timeout: 20_000 }

async function listening(t: Test, accept: (socket: Socket) => void): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }, accept)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  undo(t, () => server.close())
  return server
}

function connected(t: Test, server: Server): Socket {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  undo(t, () => socket.destroy())
  return socket
}

test('an accepted connection reads to memory of its owner', TIMEOUT, async t => {
  const memory = Buffer.alloc(4)
  const read: string[] = []
  const taken: Socket[] = []
  const server = await listening(t, accepted => {
    const socket = takeOver(accepted, {
      buffer: memory,
      callback(bytes, buffer) {
        read.push(Buffer.from(buffer.buffer, buffer.byteOffset, bytes).toString())
        if (buffer !== memory) t.fail('other memory')
        return true
      },
    })
    if (socket) taken.push(socket)
  })
  const client = connected(t, server)
  client.write('seventeen letters')
  await eventually('all came', () => read.join('') === 'seventeen letters')
  t.ok(
    read.every(piece => piece.length <= memory.length),
    'never more than there is room for',
  )
  const [socket] = taken
  socket?.write('back')
  t.equal(String((await once(client, 'data'))[0]), 'back', 'it can be written to')

  const count = promisify(server.getConnections.bind(server))
  t.equal(await count(), 1, 'the server counts it')
  let drained = false
  server.close(() => (drained = true))
  socket?.destroy()
  await eventually('the server waits for it, and for nothing else', () => drained)
})

test('a connection that is not as we know it is left alone', TIMEOUT, t => {
  const onread = { buffer: Buffer.alloc(1), callback: () => true }
  t.equal(takeOver(new Socket(), onread), null, 'not connected')
  const strange = Object.assign(new Socket(), { _handle: { close: () => undefined } })
  t.equal(takeOver(strange, onread), null, 'another kind of handle')
  t.end()
})

test('a descriptor is read in the event loop, and closed with its socket', TIMEOUT, async t => {
  const folder = await mkdtemp(join(tmpdir(), 'swarmdisk-test-'))
  undo(t, () => rm(folder, { recursive: true }))
  const fifo = join(folder, 'fifo')
  await promisify(execFile)('mkfifo', [fifo])
  const descriptor = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK)
  const writer = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK)
  undo(t, () => closeSync(writer))

  const memory = Buffer.alloc(100)
  const read: string[] = []
  const ends: unknown[] = []
  const socket = readDescriptor(descriptor, {
    onread: {
      buffer: memory,
      callback(bytes) {
        read.push(memory.toString('latin1', 0, bytes))
        return read.length !== 2
      },
    },
    closing(error) {
      ends.push(error)
      t.ok(fstatSync(descriptor).isFIFO(), 'it is still open when its end is told')
    },
  })
  if (!socket) return t.fail('this version of node cannot do it')
  for (const [i, text] of ['first', 'second', 'third'].entries()) {
    writeSync(writer, text)
    if (i < 2) await eventually(`the ${text} came`, () => read.length === i + 1)
  }
  t.deepEqual(read, ['first', 'second'], 'it was stopped')
  socket.resume()
  await eventually('the third came', () => read.length === 3)

  socket.destroy()
  t.deepEqual(ends, [null])
  await once(socket, 'close')
  t.throws(() => fstatSync(descriptor), /EBADF/)
})

test('what ends the reading of a descriptor is told', TIMEOUT, async t => {
  const descriptor = openSync('/dev/fuse', constants.O_RDWR | constants.O_NONBLOCK)
  const end = await new Promise<NodeJS.ErrnoException | null>(resolve => {
    const onread = { buffer: Buffer.alloc(10_000), callback: () => true }
    t.ok(readDescriptor(descriptor, { onread, closing: resolve }), 'node can do it')
  })
  t.equal(end?.code, 'EPERM', 'nothing is mounted by it')
})
