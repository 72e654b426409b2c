//! x.
#[derive(Debug)] pub struct Engine;
#[derive(Debug)] pub struct EngineEnd;
#[derive(Debug)] pub struct EngineParts;
#[derive(Debug)] pub struct StartError;
