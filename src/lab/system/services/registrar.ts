import { createServer } from "node:http";
import { serve } from "./serve.ts";

const server = createServer((_request, response) => void response.end("{}"));
serve(server, async () => {});
