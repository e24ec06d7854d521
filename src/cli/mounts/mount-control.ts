// The way from `attach`, `detach` and `volume resize` to the process of a mount, over its control
// socket: only that process can take a volume over, say why it cannot have it, and say when it has
// given it back, or has heard of its new size.
// Both ends are here.
import { wait, type Clock } from '../../base/clock.js'
import { isSwarmdiskError, SwarmdiskError, type ErrorCode } from '../../base/errors.js'
import {
  CLAIM_HELD_MS,
  COMMAND_DEADLINE_MS,
  DEVICE_RELEASE_INTERVAL_MS,
  RELEASE_WAIT_MS,
} from '../../base/limits.js'
import type { OpenVolume, VolumeDriver } from '../../client/volume-driver.js'
import type { AdminResult } from '../../net/admin.js'
import { MountRegistry } from '../mount-registry.js'
import { askControl, type ControlHandler } from '../processes/control-socket.js'

interface Asked {
  readonly volume: string
  readonly takeover?: boolean
  /** Bytes. */
  readonly size?: number
}

const DONE: AdminResult = { ok: true, result: {} }

/**
 * - `/claim`: gets the right to write, for a while, in which something opens the image;
 * - `/unclaim`: that is done, or will not be;
 * - `/released`: answers when the mount has given the volume back, within a bound;
 * - `/sized`: answers when it has heard of this size; 'not-found' if it has not, within a bound.
 */
export function mountRoutes(options: {
  readonly driver: Pick<VolumeDriver, 'open' | 'size'>
  readonly clock: Clock
}): Readonly<Record<string, ControlHandler>> {
  const { driver, clock } = options
  const claims = new Map<string, () => Promise<void>>()
  const unclaim = async (name: string): Promise<void> => {
    const end = claims.get(name)
    claims.delete(name)
    await end?.()
  }
  const claim = async ({ volume: name, takeover = false }: Asked): Promise<void> => {
    await unclaim(name)
    const volume = found(driver, name)
    await volume.attach({ takeover })
    // Whoever asked may die before it says that it is done.
    const timer = clock.after(CLAIM_HELD_MS, () => {
      unclaim(name).catch((error: unknown) => {
        // The mount was aborted, or the volume is gone: nobody is left to hear of it.
        if (!isSwarmdiskError(error)) throw error
      })
    })
    claims.set(name, () => {
      timer.cancel()
      return volume.release()
    })
  }
  const released = async (name: string): Promise<void> => {
    const volume = found(driver, name)
    const end = clock.now() + RELEASE_WAIT_MS
    while (volume.claimed && clock.now() < end) await wait(clock, DEVICE_RELEASE_INTERVAL_MS)
  }
  const sized = async ({ volume: name, size }: Asked): Promise<void> => {
    const end = clock.now() + RELEASE_WAIT_MS
    while (driver.size(name) !== size) {
      // Perhaps it is of another cluster, where a volume has the same name.
      if (driver.size(name) === null || clock.now() >= end) throw unsized(name, size)
      await wait(clock, DEVICE_RELEASE_INTERVAL_MS)
    }
  }
  return {
    '/claim': route(claim),
    '/unclaim': route(({ volume }) => unclaim(volume)),
    '/released': route(({ volume }) => released(volume)),
    '/sized': route(sized),
  }
}

function found(driver: Pick<VolumeDriver, 'open'>, name: string): OpenVolume {
  const volume = driver.open(name)
  if (volume) return volume
  throw new SwarmdiskError('not-found', `There is no volume "${name}": see "volume list".`)
}

function unsized(name: string, size = 0): SwarmdiskError {
  return new SwarmdiskError('not-found', `There is no volume "${name}" of ${size} bytes here.`)
}

function route(work: (asked: Asked) => Promise<void>): ControlHandler {
  return async body => {
    const { volume, takeover, size } = (body ?? {}) as Partial<Record<keyof Asked, unknown>>
    if (typeof volume !== 'string') return refusal('bad-input', 'The volume is missing: give one.')
    try {
      const bytes = typeof size === 'number' ? { size } : {}
      await work({ volume, takeover: takeover === true, ...bytes })
      return DONE
    } catch (error) {
      if (!isSwarmdiskError(error)) throw error
      return refusal(error.code, error.message)
    }
  }
}

function refusal(code: ErrorCode, message: string): AdminResult {
  return { ok: false, code, message }
}

export interface MountQuestion extends Asked {
  readonly mountPoint: string
  readonly what: 'claim' | 'unclaim' | 'released' | 'sized'
}

/** Throws what the mount process refused; does nothing if it is gone. */
export async function askMount({ mountPoint, what, ...body }: MountQuestion): Promise<void> {
  const socket = new MountRegistry().find(mountPoint)?.socket
  if (socket === undefined) return
  const request = { path: `/${what}`, body, deadline: COMMAND_DEADLINE_MS + RELEASE_WAIT_MS }
  const answer = (await askControl(socket, request)) as AdminResult | null
  if (answer !== null && !answer.ok) {
    throw new SwarmdiskError(answer.code as ErrorCode, answer.message)
  }
}
