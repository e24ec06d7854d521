// Requests as the kernel makes them, for tests.
import { OPCODE, REQUEST_HEADER_BYTES } from '../../../src/fuse/kernel/protocol.js'

export interface Frame {
  readonly opcode: number
  readonly unique?: number
  readonly node?: number
  readonly body?: Buffer
}

export function frame({ opcode, unique = 2, node = 1, body = Buffer.alloc(0) }: Frame): Buffer {
  const header = Buffer.alloc(REQUEST_HEADER_BYTES)
  header.writeUInt32LE(header.length + body.length, 0)
  header.writeUInt32LE(opcode, 4)
  header.writeBigUInt64LE(BigInt(unique), 8)
  header.writeBigUInt64LE(BigInt(node), 16)
  return Buffer.concat([header, body])
}

/** Numbers of 64 bits, and with a "u32" in front of 32. */
export function fields(...values: readonly (number | bigint | { readonly u32: number })[]): Buffer {
  return Buffer.concat(
    values.map(value => {
      const bytes = Buffer.alloc(typeof value === 'object' ? 4 : 8)
      if (typeof value === 'object') bytes.writeUInt32LE(value.u32)
      else bytes.writeBigUInt64LE(BigInt(value))
      return bytes
    }),
  )
}

export function u32(value: number): { readonly u32: number } {
  return { u32: value }
}

export function name(...names: readonly string[]): Buffer {
  return Buffer.from(names.map(one => `${one}\0`).join(''))
}

/** Of Linux 6: everything that it can. */
export function initFrame(minor = 45, major = 7): Buffer {
  const body = fields(u32(major), u32(minor), u32(2 ** 17), u32(0xffff_ffff), u32(0xffff_ffff))
  return frame({ opcode: OPCODE.init, node: 0, body: Buffer.concat([body, Buffer.alloc(44)]) })
}

export function readFrame(
  asked: { readonly handle: number; readonly offset: number; readonly size: number },
  unique: number,
): Buffer {
  const { handle, offset, size } = asked
  const body = fields(handle, offset, u32(size), u32(0), 0, u32(0), u32(0))
  return frame({ opcode: OPCODE.read, unique, node: 5, body })
}

export function writeFrame(
  asked: { readonly handle: number; readonly offset: number; readonly data: Buffer },
  unique: number,
): Buffer {
  const { handle, offset, data } = asked
  const head = fields(handle, offset, u32(data.length), u32(0), 0, u32(0), u32(0))
  return frame({ opcode: OPCODE.write, unique, node: 5, body: Buffer.concat([head, data]) })
}
