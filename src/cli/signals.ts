// Long-running commands stop cleanly on SIGINT and SIGTERM. Handlers stay for good once they are
// set: between two handlers a signal would end the process at once, in the middle of its work.

/** Calls with 1 for the first signal, 2 for the second, and so on. */
export function onSignals(handle: (count: number) => void): void {
  let count = 0
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => handle(++count))
}

/** Resolves at the first signal; a second one ends the process at once, for the impatient. */
export function untilSignal(): Promise<void> {
  return new Promise(resolve => {
    onSignals(count => {
      if (count > 1) process.exit(130)
      resolve()
    })
  })
}
