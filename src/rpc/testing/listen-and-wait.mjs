// Listens on the socket named by its argument, says so, and waits to be killed.
import { createServer } from 'node:net';

createServer().listen(process.argv[2], () => process.send('listening'));
