// What a process has to take back when it stops or does not come up: newest first, each bounded, so
// that one part that hangs does not keep the others from ending in order.
import { STOP_DEADLINE_MS } from '../../base/limits.js'

export type Undo = () => Promise<void> | void

/** Fails with the first error, after everything was tried. Calling it again does nothing. */
export async function undoAll(undo: Undo[]): Promise<void> {
  let failure: { readonly error: unknown } | null = null
  for (let step = undo.pop(); step; step = undo.pop()) {
    try {
      await bounded(Promise.resolve(step()))
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure) throw failure.error
}

function bounded(work: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, STOP_DEADLINE_MS)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}
