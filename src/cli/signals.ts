// Long-running commands stop cleanly on SIGINT and SIGTERM.

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** Resolves at the next signal, and keeps the process alive until then. */
export function nextSignal(): Promise<NodeJS.Signals> {
  return new Promise(resolve => {
    // Our clocks do not keep a process alive, so something has to.
    const alive = setInterval(() => undefined, 2 ** 30)
    const stop = (signal: NodeJS.Signals): void => {
      clearInterval(alive)
      for (const name of SIGNALS) process.removeListener(name, stop)
      resolve(signal)
    }
    for (const name of SIGNALS) process.once(name, stop)
  })
}

/** Resolves at the first signal; a second one ends the process at once, for the impatient. */
export async function untilSignal(): Promise<NodeJS.Signals> {
  const signal = await nextSignal()
  for (const name of SIGNALS) process.once(name, () => process.exit(130))
  return signal
}
