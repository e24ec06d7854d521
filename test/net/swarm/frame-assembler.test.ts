import test from 'tape'
import {
  LINK_MESSAGE_BYTES_MAX,
  LINK_READ_BYTES,
  UNADMITTED_BYTES_MAX,
} from '../../../src/base/limits.js'
import { FrameAssembler, ReadBuffer } from '../../../src/net/swarm/frame-assembler.js'
import { SeededRandom } from '../../simulator/seeded-random.js'

class Receiver {
  readonly delivered: Buffer[] = []
  readonly taken: number[] = []
  refusals = 0
  readonly assembler: FrameAssembler

  constructor(buffer = new ReadBuffer()) {
    this.assembler = new FrameAssembler({
      buffer,
      deliver: message => this.delivered.push(message),
      refuse: () => this.refusals++,
      take: bytes => {
        this.taken.push(bytes)
        return Buffer.allocUnsafeSlow(bytes)
      },
    })
  }

  /** As a socket does: never more at a time than there is room for. */
  receive(bytes: Buffer, most: () => number = () => Infinity): void {
    for (let at = 0; at < bytes.length;) {
      const room = this.assembler.room()
      const count = Math.min(room.length, bytes.length - at, most())
      bytes.copy(room, 0, at, at + count)
      at += count
      this.assembler.filled(count)
    }
  }
}

/** A message of so many bytes behind its length, with content of its own. */
function messageOf(bytes: number, content: number): Buffer {
  const message = Buffer.alloc(3 + bytes, content)
  message.writeUIntLE(bytes, 0, 3)
  return message
}

test('frame assembler: messages of all sizes come out whole, however they arrive', t => {
  const random = new SeededRandom(7)
  const sizes = [0, 1, 2, 3, 100, 4_096, LINK_READ_BYTES / 2 - 4, LINK_READ_BYTES / 2 - 3]
  sizes.push(LINK_READ_BYTES / 2, LINK_READ_BYTES - 3, LINK_READ_BYTES, 300_000, 1_048_700)
  for (let round = 0; round < 20; round++) {
    const receiver = new Receiver()
    receiver.assembler.trust()
    const sent = Array.from({ length: 30 }, (_, i) =>
      messageOf(sizes[random.below(sizes.length)]!, i + 1),
    )
    const longest = [1_000, LINK_READ_BYTES, 2_000_000][round % 3]!
    receiver.receive(Buffer.concat(sent), () => 1 + random.below(longest))
    const whole = sent.every((message, i) => receiver.delivered[i]?.equals(message))
    if (!whole || receiver.delivered.length !== sent.length) t.fail(`round ${round}`)
    receiver.receive(messageOf(10, 0xff))
    const later = sent.every((message, i) => receiver.delivered[i]?.equals(message))
    if (!later) t.fail(`round ${round}: what was delivered has changed`)
  }
  t.pass('20 rounds')
  t.end()
})

test('frame assembler: sockets that read by turns into one buffer keep theirs apart', t => {
  const random = new SeededRandom(8)
  const buffer = new ReadBuffer()
  const sizes = [0, 1, 100, 4_096, LINK_READ_BYTES / 2 - 3, LINK_READ_BYTES, 300_000]
  const sockets = Array.from({ length: 5 }, (_, i) => {
    const receiver = new Receiver(buffer)
    receiver.assembler.trust()
    const sent = Array.from({ length: 30 }, (_unused, j) =>
      messageOf(random.pick(sizes), 30 * i + j + 1),
    )
    return { receiver, sent, bytes: Buffer.concat(sent), at: 0 }
  })
  for (let left = sockets; left.length > 0; left = left.filter(one => one.at < one.bytes.length)) {
    const socket = random.pick(left)
    const count = 1 + random.below(2 * LINK_READ_BYTES)
    socket.receiver.receive(socket.bytes.subarray(socket.at, socket.at + count))
    socket.at += count
  }
  for (const { receiver, sent } of sockets) {
    t.equal(receiver.delivered.length, sent.length)
    t.ok(sent.every((message, i) => receiver.delivered[i]?.equals(message)))
  }
  t.end()
})

test('frame assembler: the length itself may arrive byte by byte', t => {
  const receiver = new Receiver()
  receiver.receive(messageOf(5, 9), () => 1)
  t.equal(receiver.delivered.length, 1)
  t.ok(receiver.delivered[0]?.equals(messageOf(5, 9)))
  t.end()
})

test('frame assembler: only large messages take memory of their own', t => {
  const receiver = new Receiver()
  receiver.assembler.trust()
  receiver.receive(messageOf(LINK_READ_BYTES / 2 - 3, 1), () => 1_000)
  t.same(receiver.taken, [])
  receiver.receive(messageOf(LINK_READ_BYTES / 2 - 2, 1), () => 1_000)
  receiver.receive(messageOf(1_000_000, 1))
  t.same(receiver.taken, [LINK_READ_BYTES / 2 + 1, 1_000_003])
  t.equal(receiver.delivered.length, 3)
  t.end()
})

test('frame assembler: who is not admitted yet sends nothing long', t => {
  const receiver = new Receiver()
  receiver.receive(messageOf(50, 1))
  receiver.receive(Buffer.from([...messageOf(UNADMITTED_BYTES_MAX - 2, 2).subarray(0, 10)]))
  t.equal(receiver.refusals, 1)
  t.same(receiver.taken, [], 'no memory was taken for it')
  receiver.receive(messageOf(5, 3))
  t.equal(receiver.delivered.length, 1, 'nothing comes out after that')
  t.equal(receiver.refusals, 1, 'it is refused once')
  t.end()
})

test('frame assembler: a longer message than any frame is refused from those who are', t => {
  const receiver = new Receiver()
  receiver.assembler.trust()
  const length = Buffer.alloc(3)
  length.writeUIntLE(LINK_MESSAGE_BYTES_MAX - 2, 0, 3)
  receiver.receive(length)
  t.equal(receiver.refusals, 1)
  t.same(receiver.taken, [])
  t.end()
})
